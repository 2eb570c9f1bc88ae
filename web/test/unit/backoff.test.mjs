import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeBackoff } from '../../client/backoff.js';
import { Clock, dice } from './clock.mjs';
import { World } from './fake.mjs';

function delays(env, count, floor) {
  const clock = env;
  const backoff = makeBackoff(clock);
  return (async () => {
    const all = [];
    for (let i = 0; i < count; i++) {
      const start = clock.now();
      let ran = false;
      backoff.plan(() => (ran = true), floor);
      await clock.until(() => ran, 100_000, 1);
      all.push(clock.now() - start);
    }
    return all;
  })();
}

function clockWith(random) {
  return Object.assign(new Clock(), { random });
}

test('pauses double up to twenty seconds', async () => {
  const longest = await delays(clockWith(() => 1), 8);
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
});

test('S-07.5 pauses differ by half, and the first by all', async () => {
  const shortest = await delays(clockWith(() => 0), 4);
  assert.ok(shortest[0] <= 1);
  assert.deepEqual(shortest.slice(1), [500, 1000, 2000]);
});

test('a pause is never shorter than the server asks for', async () => {
  const [first] = await delays(clockWith(() => 0), 1, 5000);
  assert.equal(first, 5000);
});

test('a thousand clients do not come back in the same moment', async () => {
  const roll = dice(4);
  const times = new Set();
  for (let i = 0; i < 1000; i++) times.add((await delays(clockWith(roll), 1))[0]);
  assert.ok(times.size > 300, `${times.size} moments`);
});

for (const [event, name] of [['online', 'the network is back'], ['visibilitychange', 'somebody looks']]) {
  test(`${name}: the client waits no longer`, async () => {
    const world = new World();
    const listeners = {};
    const document = { visibilityState: 'visible', addEventListener: (type, listener) => (listeners[type] = listener) };
    const page = world.page({ carrier: 'websocket', document });
    await world.clock.until(() => page.client.state === 'open');
    world.up = false;
    world.cut();
    await world.clock.advance(40_000);
    world.up = true;
    const before = world.clock.now();
    if (event === 'online') page.fire('online');
    else listeners.visibilitychange();
    await world.clock.until(() => page.client.state === 'open');
    assert.ok(world.clock.now() - before < 200);
  });
}

test('Retry-After is heeded, even when the network is back', async () => {
  const world = new World();
  world.fault = ({ kind }) => (kind === 'post' ? { status: 503, text: '', headers: { 'Retry-After': '60' } } : 'refuse');
  const page = world.page({ carrier: 'longpoll' });
  await world.clock.advance(1000);
  page.fire('online');
  await world.clock.advance(58_000);
  assert.equal(world.requests.length, 1);
  await world.clock.advance(5000);
  assert.equal(world.requests.length, 2);
});

test('a server that forgets each session at once is not flooded', async () => {
  const world = new World();
  world.server.socket = (object, answer) => answer(object.session ? { error: { code: 'gone' } } : { session: 'x', key: 'y' });
  const post = world.server.post.bind(world.server);
  world.server.post = (text, answer) => (text === '{}' ? post(text, answer) : answer({ error: { code: 'gone' } }, 410));
  world.page({ carrier: 'longpoll' });
  await world.clock.advance(600_000);
  assert.ok(world.requests.length < 120, `${world.requests.length} requests`);
});

test('posts that fail are repeated with pauses, while polls go on', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll' });
  const heard = page.listen('room');
  await world.clock.until(() => heard.events.length);
  const before = world.requests.length;
  world.fault = ({ body }) => (body?.includes('messages') ? { status: 502, text: '' } : undefined);
  const answer = page.client.publish('room', 1);
  await world.clock.advance(120_000);
  assert.ok(world.requests.length - before < 25, `${world.requests.length - before} requests`);
  assert.equal(page.client.state, 'open');
  world.fault = () => undefined;
  await world.clock.advance(21_000);
  await answer;
  assert.deepEqual(heard.data, [1]);
});

test('answers without end from a cache do not make the client spin', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll' });
  await world.clock.until(() => page.client.state === 'open');
  world.requests.length = 0;
  world.fault = ({ kind }) => kind === 'post' && { status: 200, text: '{}' };
  world.cut();
  await world.clock.advance(60_000);
  assert.ok(world.requests.length < 80, `${world.requests.length} requests`);
});
