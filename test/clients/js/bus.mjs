// Our own client, on the event bus: it reads a topic and writes into it.

import { connect } from '../../../web/client/mochi.js';
import { listen, say } from './lines.mjs';

const [url, topic, name] = process.argv.slice(2);
const client = connect({ url });
client.subscribe(topic, {
  subscribed: () => say('online', { jid: name }),
  message: ({ data: { from, text } }) => say('message', { from, body: text }),
});

listen({
  send: (_, text) => client.publish(topic, { from: name, text }),
  quit: () => {
    client.close();
    say('closed');
    process.exit();
  },
});
