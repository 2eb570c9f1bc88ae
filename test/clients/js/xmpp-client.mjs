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

let jid;
xmpp.on('online', async (address) => {
  jid = String(address);
  say('online', { jid, resumed: false });
  const roster = await xmpp.iqCaller.get(xml('query', 'jabber:iq:roster'));
  say('roster', { items: roster.getChildren('item').length });
  await xmpp.send(xml('presence'));
});
xmpp.streamManagement.on('resumed', () => say('online', { jid, resumed: true }));
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
