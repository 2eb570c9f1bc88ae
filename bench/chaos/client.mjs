// Clients of web/client in Node, for the run of the JavaScript client. What to do comes as one line of JSON on stdin; each
// message that a client gets is written to stdout, after the client's number. It ends with stdin.

import { createInterface } from 'node:readline';
import { DOMParser as Parser } from '../../web/test/unit/boshserver.mjs';
import { connect } from '../../web/client/mochi.js';

/** The client's patience is for people's networks; here time passes faster, so that more happens. */
const SPEED = 2.5;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { url, clients, messages, carriers, stay, texts } = JSON.parse((await lines.next()).value);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const any = (n) => Math.floor(Math.random() * n);

class DOMParser extends Parser {
  parseFromString(text) {
    return super.parseFromString(text.replace(/\/>$/, '></body>'));
  }
}

function start(number) {
  const client = connect({
    longpoll: `${url}/push`,
    sse: `${url}/push/sse`,
    websocket: `${url}/push/ws`,
    bosh: `${url}/http-bind`,
    carrier: carriers[number % carriers.length],
    DOMParser,
    setTimeout: (job, ms) => setTimeout(job, ms / SPEED),
    now: () => Date.now() * SPEED,
    random: Math.random,
    queue: { messages: Infinity, bytes: Infinity },
  });
  let sessions = 0;
  client.on('session', () => ++sessions > 1 && process.stderr.write(`client ${number}: its session was lost\n`));
  client.on('state', ({ state, error }) => state === 'closed' && error.code !== 'closed' && process.stderr.write(`client ${number}: ${error}\n`));
  client.on('message', (value) => process.stdout.write(`${number} ${JSON.stringify(value)}\n`));
  client.send({ client: number });
  send(client);
  if (carriers.length > 1) wander(client);
  return client;
}

async function send(client) {
  for (let n = 1; n <= messages; await sleep(any(8))) {
    for (let burst = 1 + any(40); burst > 0 && n <= messages; burst--, n++) client.send({ n, text: texts[n % texts.length] });
  }
}

async function wander(client) {
  while (client.state !== 'closed') {
    await sleep(any(stay));
    await client.use(carriers[any(carriers.length)]).catch(() => {}); // it goes on as before
  }
}

const all = Array.from({ length: clients }, (_, number) => start(number));
await lines.next();
for (const client of all) client.close();
process.exit();
