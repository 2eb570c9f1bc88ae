// A client made with strophe.js, over BOSH or WebSocket. Over BOSH it repeats
// its requests when connections break; over WebSocket it logs in again, or if told
// to, resumes its stream (XEP-0198).

import { JSDOM } from 'jsdom';
import { $iq, $msg, $pres, Strophe } from 'strophe.js';
import { XMPP_BOSH, XMPP_JID, XMPP_PASSWORD, XMPP_WS, listen, say } from './lines.mjs';

const overBOSH = process.argv[2] === 'bosh';
const resumes = process.argv[3] === 'resume';
const url = overBOSH ? XMPP_BOSH : XMPP_WS;
// The library leaves XMLHttpRequest to the browser; the page is of the same origin.
globalThis.XMLHttpRequest = new JSDOM('', { url: XMPP_BOSH }).window.XMLHttpRequest;

// What it resumes with is kept in sessionStorage, of a page.
const kept = new Map();
const storage = {
  save: (key, state) => kept.set(key, JSON.stringify(state)),
  load: (key) => JSON.parse(kept.get(key) ?? 'null'),
  clear: (key) => kept.delete(key),
};
const connection = new Strophe.Connection(url, resumes ? { enableStreamManagement: true, streamManagement: { requestResume: true, storage } } : {});
let leaving = false;

function connect() {
  connection.reset();
  connection.connect(XMPP_JID, XMPP_PASSWORD, (status, reason) => {
    switch (status) {
      case Strophe.Status.CONNECTED:
        online();
        break;
      case Strophe.Status.AUTHFAIL:
      case Strophe.Status.CONNFAIL:
        say('error', { reason: `${status}: ${reason}` });
        break;
      case Strophe.Status.DISCONNECTED:
        if (leaving) {
          say('closed');
          process.exit();
        }
        setTimeout(connect, 200);
    }
  });
}

function online() {
  connection.addHandler((message) => {
    const body = message.getElementsByTagName('body')[0];
    if (body && message.getAttribute('type') !== 'error') say('message', { from: message.getAttribute('from'), body: body.textContent });
    return true;
  }, null, 'message');
  if (resumes && connection.hasResumed()) {
    say('online', { jid: connection.jid, resumed: true });
    return;
  }
  say('online', { jid: connection.jid, resumed: false });
  connection.sendIQ($iq({ type: 'get' }).c('query', { xmlns: 'jabber:iq:roster' }), (result) => {
    say('roster', { items: result.getElementsByTagName('item').length });
  });
  connection.send($pres());
}

listen({
  send: (to, body) => connection.send($msg({ to, type: 'chat' }).c('body').t(body)),
  quit: () => {
    leaving = true;
    connection.disconnect('bye');
  },
});
connect();
