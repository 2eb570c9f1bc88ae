import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './fake.mjs';

const OPTIONS = { resume: 'app' };

for (const carrier of ['websocket', 'sse', 'longpoll', 'auto']) {
  test(`${carrier}: a reload keeps the session and its place among the members`, async () => {
    const world = new World();
    const watcher = world.page();
    const seen = watcher.listen('room', { presence: 'watcher' });
    await world.clock.advance(500);
    let page = world.page({ ...OPTIONS, carrier });
    page.listen('room', { presence: 'me', history: 2 });
    await world.clock.advance(500);
    for (let n = 0; n < 4; n++) world.server.bus.publish('room', n);
    await world.clock.advance(500);
    page = page.reload();
    world.server.bus.publish('room', 4);
    const heard = page.listen('room', { presence: 'me', history: 2 });
    await world.clock.advance(2000);
    assert.deepEqual(heard.data, [3, 4], 'a fresh page wants its history');
    assert.equal(world.server.created, 2);
    assert.deepEqual(seen.events.map(({ type }) => type), ['subscribed', 'join']);
    assert.deepEqual(page.sessions.map(({ resumed }) => resumed), [true]);
  });

  test(`${carrier}: what was published before a reload gets there once`, async () => {
    const world = new World();
    let page = world.page({ ...OPTIONS, carrier });
    await world.clock.advance(500);
    for (let n = 0; n < 10; n++) {
      for (let i = 0; i < 3; i++) page.client.publish('up', 3 * n + i).catch(() => {});
      await world.clock.advance(n * 3);
      page = page.reload();
      await world.clock.advance(n === 5 ? 1 : 400);
    }
    await world.clock.advance(5000);
    assert.deepEqual(world.server.bus.data('up'), Array.from({ length: 30 }, (_, n) => n));
    assert.equal(world.server.created, 1);
  });

  test(`${carrier}: without history a reloaded page goes on where the old one was`, async () => {
    const world = new World();
    let page = world.page({ ...OPTIONS, carrier });
    const before = page.listen('room');
    await world.clock.advance(500);
    world.server.bus.publish('room', 'a');
    await world.clock.advance(500);
    page.leave();
    world.server.bus.publish('room', 'b');
    page = page.reload();
    await world.clock.advance(2000);
    world.server.bus.publish('room', 'c');
    await world.clock.advance(500);
    const after = page.listen('room');
    await world.clock.advance(500);
    world.server.bus.publish('room', 'd');
    await world.clock.advance(500);
    assert.deepEqual([before.data, after.data], [['a'], ['b', 'c', 'd']]);
  });
}

test('the session is gone when the page is back: positions and publishes survive', async () => {
  const world = new World();
  let page = world.page(OPTIONS);
  page.listen('room');
  await world.clock.advance(500);
  world.server.bus.publish('room', 'a');
  await world.clock.advance(500);
  world.up = false;
  world.cut();
  page.client.publish('up', 'x').catch(() => {});
  await world.clock.advance(500);
  page.leave();
  world.server.restart();
  world.server.bus.publish('room', 'b');
  world.up = true;
  page = page.reload();
  const heard = page.listen('room');
  await world.clock.advance(5000);
  assert.deepEqual(heard.data, ['b']);
  assert.deepEqual(world.server.bus.data('up'), ['x']);
  assert.equal(page.sessions.at(-1).recovered, true);
});

for (const guard of ['locks', 'BroadcastChannel']) {
  test(`a tab that is duplicated gets a session of its own, by ${guard}`, async () => {
    const world = new World();
    const options = guard === 'locks' ? OPTIONS : { ...OPTIONS, locks: null };
    const page = world.page(options);
    const first = page.listen('room');
    await world.clock.advance(1000);
    const copy = page.duplicate();
    const second = copy.listen('room', { history: 10 });
    await world.clock.advance(2000);
    world.server.bus.publish('room', 1);
    await world.clock.advance(1000);
    assert.equal(world.server.created, 2);
    assert.deepEqual([first.data, second.data], [[1], [1]]);
    const again = copy.reload();
    await world.clock.advance(2000);
    assert.equal(world.server.created, 2, 'the copy resumes its own');
    assert.equal(page.client.state, 'open');
    assert.equal(again.client.state, 'open');
    assert.ok(![...page.states, ...again.states].some((state) => state.startsWith('reconnecting')));
  });
}

test('two pages with one session do not take it from each other for ever', async () => {
  const world = new World();
  const page = world.page({ ...OPTIONS, locks: { request: async (_n, _o, use) => use({}) }, carrier: 'websocket' });
  await world.clock.advance(1000);
  const copy = page.duplicate();
  const heard = [page.listen('room'), copy.listen('room')];
  await world.clock.advance(100_000);
  assert.equal(world.server.sessions.size, 2);
  world.server.bus.publish('room', 1);
  await world.clock.advance(1000);
  assert.deepEqual(heard.map(({ data }) => data), [[1], [1]]);
});

test('a storage that is older than the session catches up', async () => {
  const world = new World();
  const page = world.page({ ...OPTIONS, carrier: 'sse' });
  await world.clock.advance(1000);
  const old = new Map(page.items);
  for (let i = 0; i < 15; i++) {
    world.cut();
    await world.clock.advance(3000);
  }
  page.leave();
  for (const [key, value] of old) page.items.set(key, value);
  const again = page.reload();
  await world.clock.advance(30_000);
  assert.equal(again.client.state, 'open');
  assert.equal(world.server.created, 1);
});

test('a full storage costs the resumption, and nothing else', async () => {
  const world = new World();
  const storage = {
    getItem: () => null,
    removeItem() {},
    setItem() {
      throw new Error('full');
    },
  };
  const page = world.page({ ...OPTIONS, storage });
  const heard = page.listen('room');
  await world.clock.advance(500);
  world.server.bus.publish('room', 1);
  await world.clock.advance(500);
  assert.deepEqual(heard.data, [1]);
});

test('closing leaves nothing behind', async () => {
  const world = new World();
  const page = world.page(OPTIONS);
  await world.clock.advance(500);
  page.client.close();
  await world.clock.advance(500);
  assert.equal(page.items.size, 0);
});

test('topics that the reloaded page does not want any more are left', async () => {
  const world = new World();
  let page = world.page(OPTIONS);
  page.listen('room');
  await world.clock.advance(500);
  page = page.reload();
  await world.clock.advance(20_000);
  world.server.bus.publish('room', 1);
  await world.clock.advance(500);
  assert.equal(world.server.bus.topic('room').peers.size, 0);
});
