// Users of an XMPP server with strophe.js over BOSH, for the run of that. Each sends numbered messages to the next. What
// to do comes as one line of JSON on stdin; each message that a user gets is written to stdout, after the user's number.
// It ends with stdin.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(new URL('../../test/clients/js/package.json', import.meta.url));
const { JSDOM } = require('jsdom');
const { $msg, $pres, Strophe } = require('strophe.js');

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { url, domain, password, clients, messages, texts, ahead } = JSON.parse((await lines.next()).value);
const any = (n) => Math.floor(Math.random() * n);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const complain = (number, text) => process.stderr.write(`client ${number}: ${text}\n`);

// The library tells of each request that it repeats; what is said here is why a run failed.
for (const level of ['log', 'info', 'debug', 'warn', 'error']) console[level] = () => {};

// The library leaves XMLHttpRequest to the browser; the page is of the same origin.
globalThis.XMLHttpRequest = new JSDOM('', { url }).window.XMLHttpRequest;

const got = Array.from({ length: clients }, () => 0);

function start(number) {
  const connection = new Strophe.Connection(`${url}/http-bind`);
  return new Promise((resolve) => {
    connection.connect(`user${number}@${domain}/chaos`, password, (status, reason) => {
      if (status === Strophe.Status.CONNECTED) {
        connection.addHandler((message) => {
          const body = message.getElementsByTagName('body')[0];
          got[number]++;
          process.stdout.write(`${number} ${body?.textContent}\n`);
          return true;
        }, null, 'message');
        connection.send($pres());
        resolve(connection);
      } else if (status !== Strophe.Status.CONNECTING && status !== Strophe.Status.AUTHENTICATING) {
        complain(number, `status ${status} ${reason ?? ''}`);
      }
    });
  });
}

async function send(connection, number) {
  const next = (number + 1) % clients;
  for (let n = 1; n <= messages; await sleep(any(8))) {
    for (let burst = 1 + any(6); burst > 0 && n <= messages && n < got[next] + ahead; burst--, n++) {
      const text = JSON.stringify({ n, text: texts[n % texts.length] });
      connection.send($msg({ to: `user${next}@${domain}/chaos`, type: 'chat' }).c('body').t(text));
    }
  }
}

const patience = setTimeout(() => complain('?', 'not everybody could log in'), 60_000);
const all = await Promise.all(Array.from({ length: clients }, (_, number) => start(number)));
clearTimeout(patience);
all.forEach(send);
await lines.next();
process.exit();
