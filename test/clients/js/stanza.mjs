// A client made with stanza, over BOSH or WebSocket. It asks for two requests
// to be held, of its two. Over WebSocket it resumes its stream (XEP-0198).

import * as XMPP from 'stanza';
import { XMPP_BOSH, XMPP_JID, XMPP_PASSWORD, XMPP_WS, listen, say } from './lines.mjs';

const overBOSH = process.argv[2] === 'bosh';
const client = XMPP.createClient({
  jid: XMPP_JID,
  password: XMPP_PASSWORD,
  transports: { bosh: overBOSH && XMPP_BOSH, websocket: !overBOSH && XMPP_WS },
  autoReconnect: true,
  maxReconnectBackoff: 0.2, // seconds
});

client.on('session:started', async () => {
  say('online', { jid: client.jid, resumed: false });
  const roster = await client.getRoster();
  say('roster', { items: roster.items.length });
  client.sendPresence();
});
client.on('stream:management:resumed', () => say('online', { jid: client.jid, resumed: true }));
client.on('message', (message) => {
  if (message.type !== 'error' && message.body !== undefined) say('message', { from: message.from, body: message.body });
});
client.on('raw:*', (direction, data) => console.error(direction, data));

listen({
  send: (to, body) => client.sendMessage({ to, type: 'chat', body }),
  quit: () => {
    // Over BOSH it does not always tell that it is disconnected.
    for (const event of ['disconnected', 'stream:end']) {
      client.on(event, () => {
        say('closed');
        process.exit();
      });
    }
    client.disconnect();
  },
});
client.connect();
