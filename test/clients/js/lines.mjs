// What a client program says, and hears: JSON objects, one a line.

import { createInterface } from 'node:readline';

import { WebSocket } from 'ws';

export const { XMPP_BOSH, XMPP_WS, XMPP_DOMAIN, XMPP_JID, XMPP_PASSWORD } = process.env;

// Libraries leave it to the browser; Node.js 20 has none.
globalThis.WebSocket ??= WebSocket;

// Lines are for us alone; libraries have their own to say.
console.log = console.info = console.debug = console.error;

export const say = (event, fields = {}) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');

/** Calls send(to, body) and quit() as told; the end of the input is to quit, too. */
export function listen({ send, quit }) {
  const once = () => { const f = quit; quit = () => {}; f(); };
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const command = JSON.parse(line);
      if (command.send) send(command.send.to, command.send.body);
      if (command.quit) once();
    })
    .on('close', once);
}

process.on('uncaughtException', (error) => {
  say('error', { reason: String(error?.stack ?? error) });
  process.exit(1);
});
