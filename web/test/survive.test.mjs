// A real server goes away and comes back with its state, in order or not, while
// clients of every carrier talk. They notice nothing but slower
// answers.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '../client/mochi.js';
import { Server } from './server.mjs';
import { DOMParser as Parser } from './unit/boshserver.mjs';

class DOMParser extends Parser {
  parseFromString(text) {
    return super.parseFromString(text.replace(/\/>$/, '></body>'));
  }
}

const carriers = ['longpoll', 'sse', 'websocket', 'bosh'];
const flags = ['--no-warnings', '--experimental-eventsource', '--experimental-websocket'];

function talker(url, carrier) {
  const client = connect({
    longpoll: `${url}/push`,
    sse: `${url}/push/sse`,
    websocket: `${url}/push/ws`,
    bosh: `${url}/http-bind`,
    carrier,
    DOMParser,
  });
  const seen = { client, carrier, sessions: 0, got: [], confirmed: 0, trouble: [] };
  client.on('session', () => seen.sessions++);
  client.on('state', ({ state, error }) => state === 'closed' && seen.trouble.push(`${error}`));
  client.subscribe(`t/${carrier}`, { message: ({ data }) => seen.got.push(data) });
  return seen;
}

async function until(what, so) {
  for (let patience = 400; !so(); patience--) {
    assert.ok(patience, what());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

if (!globalThis.EventSource || !globalThis.WebSocket) {
  // Node has them where it is asked to.
  test('sessions on every carrier survive', async () => {
    const { NODE_TEST_CONTEXT, ...env } = process.env;
    const child = spawn(process.execPath, [...flags, fileURLToPath(import.meta.url)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
    const [code] = await once(child, 'exit');
    assert.equal(code, 0, said);
  });
} else {
  for (const [how, end, durability] of [['stopped', 'stop', 'none'], ['killed', 'kill', 'exchange']]) {
    test(`sessions go on when their server was ${how} and is back`, async (t) => {
      const dir = mkdtempSync(join(tmpdir(), 'mochibosh-state-'));
      t.after(() => rmSync(dir, { recursive: true, force: true }));
      const args = ['--dev', '--state-dir', dir, '--durability', durability, '--shutdown-spread', '200ms'];
      const server = await Server.start({ goPackage: './cmd/mochibosh', command: ['serve'], args });
      t.after(() => server.kill());
      const all = carriers.map((carrier) => talker(server.url, carrier));
      t.after(() => all.forEach(({ client }) => client.close()));
      let n = 0;
      const publish = () => {
        n++;
        for (const seen of all) {
          seen.client.publish(`t/${seen.carrier}`, n).then(
            () => seen.confirmed++,
            (error) => seen.trouble.push(`${error}`),
          );
        }
      };
      const arrived = (seen) => until(
        () => `${seen.carrier}: ${seen.got.length} of ${n} came, ${seen.confirmed} confirmed; ${seen.trouble}`,
        () => seen.got.length >= n && seen.confirmed === n,
      );
      for (let i = 0; i < 5; i++) publish();
      await Promise.all(all.map(arrived));
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 5; i++) publish(); // on the way
        await server[end]();
        for (let i = 0; i < 5; i++) publish(); // to nobody
        await server.start();
        for (let i = 0; i < 5; i++) publish();
        await Promise.all(all.map(arrived));
      }
      for (const seen of all) {
        assert.deepEqual(seen.got, Array.from({ length: n }, (_, i) => i + 1), seen.carrier);
        assert.deepEqual([seen.sessions, seen.trouble], [1, []], `${seen.carrier}: sessions and trouble`);
      }
    });
  }
}
