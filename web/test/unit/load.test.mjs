// Parts of the client that are loaded on demand, while the network is down and when it is back.

import assert from 'node:assert/strict';
import { register } from 'node:module';
import { test } from 'node:test';
import { World } from './fake.mjs';

const down = new Int32Array(new SharedArrayBuffer(4));

// As browsers do it: a module that could not be loaded cannot be loaded any more, under this address.
const hooks = `
let down;
const failed = new Set();
export function initialize(data) {
  down = data;
}
export async function resolve(specifier, context, next) {
  const resolved = await next(specifier, context);
  const part = /client.(bosh|reload|tabs)(.min.js|.(mover|store|tabs).js)([?]|$)/.test(resolved.url);
  if (part && Atomics.load(down, 0)) failed.add(resolved.url);
  if (failed.has(resolved.url)) throw new Error('the network is down');
  return resolved;
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`, { parentURL: import.meta.url, data: down });

function isDown(value) {
  Atomics.store(down, 0, value ? 1 : 0);
}

/** A part is read from a disk, whatever the clock says. */
async function until(world, condition) {
  for (let i = 0; i < 200 && !condition(); i++) {
    await world.clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(condition(), `${condition}`);
}

test('BOSH did not load: the client says so, goes on, and uses it later', async () => {
  const world = new World();
  const page = world.page({ carrier: 'websocket' });
  await world.clock.until(() => page.client.state === 'open');
  isDown(true);
  for (let i = 0; i < 3; i++) await assert.rejects(page.client.use('bosh'), { code: 'network' });
  assert.equal(`${page.client.state} ${page.client.carrier}`, 'open websocket');
  isDown(false);
  const used = page.client.use('bosh');
  await until(world, () => page.client.carrier === 'bosh');
  await used;
});

test('a page that begins with BOSH tries until it is there', async () => {
  const world = new World();
  isDown(true);
  const page = world.page({ carrier: 'bosh' });
  await until(world, () => page.errors.length > 2);
  assert.ok(page.errors.every(({ code }) => code === 'network'));
  isDown(false);
  await until(world, () => page.client.state === 'open');
  assert.equal(page.client.carrier, 'bosh');
});

test('what is stored is not lost while the part that reads it does not load', async () => {
  const world = new World();
  let page = world.page({ resume: 'app', carrier: 'websocket' });
  page.listen('room');
  await until(world, () => page.client.state === 'open');
  world.server.bus.publish('room', 'a');
  await world.clock.advance(500);
  world.up = false;
  world.cut();
  page.client.publish('up', 'x').catch(() => {});
  await world.clock.advance(100);
  isDown(true);
  world.up = true;
  page = page.reload();
  await until(world, () => page.errors.length > 2);
  assert.equal(page.client.state, 'connecting');
  world.server.bus.publish('room', 'b');
  isDown(false);
  await until(world, () => page.client.state === 'open');
  const heard = page.listen('room');
  await world.clock.advance(1000);
  assert.deepEqual(page.sessions.map(({ resumed }) => resumed), [true]);
  assert.deepEqual(heard.data, ['b']);
  assert.deepEqual(world.server.bus.data('up'), ['x']);
  assert.equal(world.server.created, 1);
});

test('a client that is closed before its part is there stays so; when the part comes it leaves nothing behind', async () => {
  const world = new World();
  let page = world.page({ resume: 'app' });
  await until(world, () => page.client.state === 'open');
  isDown(true);
  page = page.reload();
  await until(world, () => page.errors.length > 0);
  page.client.close();
  isDown(false);
  await until(world, () => true);
  await world.clock.advance(100_000);
  assert.equal(page.client.state, 'closed');
  assert.equal(world.server.created, 1);
  page = page.reload();
  page.client.close();
  await until(world, () => page.items.size === 0);
});

test('without storage nothing is loaded to resume', { skip: 'sessionStorage' in globalThis }, async () => {
  const world = new World();
  isDown(true);
  const page = world.page({ resume: 'app', storage: null });
  await until(world, () => page.client.state === 'open');
  assert.deepEqual(page.errors, []);
});

test('a tab goes alone while that which shares the connection does not load, and a later one shares it', async () => {
  const world = new World();
  isDown(true);
  const alone = world.page({ tabs: 'app' });
  await until(world, () => alone.client.state === 'open');
  assert.deepEqual(alone.errors.map(({ code }) => code), ['network']);
  isDown(false);
  const tabs = [world.page({ tabs: 'app' }), world.page({ tabs: 'app' })];
  await until(world, () => tabs.every(({ client }) => client.state === 'open'));
  assert.equal(tabs.filter(({ client }) => client.leading).length, 1);
  assert.equal(world.server.created, 2);
});
