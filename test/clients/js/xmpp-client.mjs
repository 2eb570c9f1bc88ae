// A client made with @xmpp/client, over WebSocket. It reconnects by itself and
// resumes its stream (XEP-0198) where the server lets it.

import { client, xml } from '@xmpp/client';
import { XMPP_DOMAIN, XMPP_JID, XMPP_PASSWORD, XMPP_WS, listen, say } from './lines.mjs';

const xmpp = client({
  service: XMPP_WS,
  domain: XMPP_DOMAIN,
  username: XMPP_JID.split('@')[0],
  password: XMPP_PASSWORD,
});
xmpp.reconnect.delay = 200;
xmpp.timeout = 30_000; // for each step; 2 s are few on a busy machine
const { streamManagement } = xmpp;

// The library sets its count of stanzas to zero a moment after <enabled/>, and
// forgets what came in between. So nothing is asked for before that moment.
const enabled = new Promise((resolve) => {
  xmpp.on('nonza', (element) => {
    if (element.is('enabled') || element.is('failed')) setImmediate(resolve);
  });
});

/** Asks the server. The library does not count answers to its own requests. */
async function ask(query) {
  const answer = await xmpp.iqCaller.get(query);
  if (streamManagement.enabled) streamManagement.inbound++;
  return answer;
}

let jid;
xmpp.on('online', async (address) => {
  jid = String(address);
  await enabled;
  say('online', { jid, resumed: false });
  const roster = await ask(xml('query', 'jabber:iq:roster'));
  say('roster', { items: roster.getChildren('item').length });
  await xmpp.send(xml('presence'));
});
streamManagement.on('resumed', () => say('online', { jid, resumed: true }));
xmpp.on('stanza', (stanza) => {
  if (stanza.is('message') && stanza.attrs.type !== 'error' && stanza.getChildText('body') !== null) {
    say('message', { from: stanza.attrs.from, body: stanza.getChildText('body') });
  }
});
xmpp.on('error', (error) => console.error(error)); // it goes on by itself

listen({
  send: (to, body) => xmpp.send(xml('message', { to, type: 'chat' }, xml('body', {}, body))),
  quit: async () => {
    await xmpp.stop();
    say('closed');
    process.exit();
  },
});
await xmpp.start();
