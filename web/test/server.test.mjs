import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from './server.mjs';

const goPackage = './web/test/testdata/server';

test('a server that cannot start says why', async () => {
  await assert.rejects(Server.start({ goPackage, args: ['--unknown'] }), /not defined: -unknown/);
});

test('a package that does not build says why', async () => {
  await assert.rejects(Server.start({ goPackage: './web/test/testdata/absent' }), /absent/);
});

test('a stopped server is gone', async () => {
  const server = await Server.start({ goPackage });
  assert.equal((await fetch(`${server.url}/count`)).status, 200);
  await server.stop();
  await assert.rejects(fetch(`${server.url}/count`), /fetch failed/);
  assert.match(server.output, /listening on/);
});
