// Prints what is published in a topic, one JSON object a line, and publishes
// what it reads, one JSON value a line; it ends with its input.
//
//	echo '{"text":"tea"}' | node main.mjs http://127.0.0.1:8888 news
//
// Node.js 20 has no WebSocket of its own: the client takes long-poll there, or
// what `connect({ WebSocket })` is given, of the package "ws" for one.

import { connect } from '@mochibosh/client';
import { createInterface } from 'node:readline';

const [url, topic] = process.argv.slice(2);
const client = connect({ url });

client.on('state', ({ state, carrier }) => console.error(`${state} on ${carrier}`));
client.subscribe(topic, {
  message: ({ offset, data }) => console.log(JSON.stringify({ offset, data })),
  error: ({ message }) => console.error(message),
});

for await (const line of createInterface({ input: process.stdin })) {
  await client.publish(topic, JSON.parse(line));
}
client.close();
