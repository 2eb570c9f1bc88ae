import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dice } from './clock.mjs';
import { World } from './fake.mjs';

const ALL = ['websocket', 'sse', 'longpoll', 'bosh'];

/** Publishes both ways, fast, while `act` runs; then compares. */
async function underLoad(world, page, act) {
  const heard = page.listen('down');
  await world.clock.until(() => heard.events.length);
  const answers = [];
  let n = 0;
  let stopped = false;
  const tick = () => {
    if (stopped) return;
    world.server.bus.publish('down', n);
    answers.push(page.client.publish('up', n));
    n++;
    world.later(tick, 7);
  };
  tick();
  await act();
  await world.clock.advance(1000);
  stopped = true;
  await world.clock.advance(100_000);
  const all = Array.from({ length: n }, (_, i) => i);
  assert.deepEqual(heard.data, all, 'down: once and in order');
  assert.deepEqual(world.server.bus.data('up'), all, 'up: once and in order');
  assert.equal((await Promise.all(answers)).length, n, 'every promise settled');
  assert.deepEqual(world.bosh.sins, []);
}

for (const from of ALL) {
  for (const to of ALL) {
    if (from === to) continue;
    test(`from ${from} to ${to} under load`, async () => {
      const world = new World();
      const page = world.page({ carrier: from });
      let state;
      await underLoad(world, page, async () => {
        await world.clock.advance(300);
        page.states.length = 0;
        const used = page.client.use(to);
        await world.clock.until(() => page.client.carrier === to);
        await used;
        state = [...page.states];
      });
      assert.deepEqual(state, [`open ${to}`], 'no interruption');
      assert.deepEqual(page.errors, []);
      const sessions = world.server.sessions.size + world.bosh.sessions.size;
      assert.equal(sessions, 1, 'the old session is ended');
      if (from !== 'bosh' && to !== 'bosh') assert.equal(world.server.created, 1, 'the session moved');
    });
  }
}

test('back and forth a hundred times, with cuts, and without waiting', async () => {
  const world = new World(3);
  const roll = dice(33);
  const page = world.page({ carrier: 'websocket' });
  await underLoad(world, page, async () => {
    for (let i = 0; i < 100; i++) {
      page.client.use(ALL[Math.floor(roll() * 4)]).catch(() => {});
      if (roll() < 0.2) world.cut();
      await world.clock.advance(roll() * 400);
    }
  });
});

test('a move before there is a session makes no second one', async () => {
  const world = new World();
  const posts = [];
  world.fault = ({ kind, url }) => (kind === 'post' && url === '/push' && posts.push(url) === 1 ? 15 : undefined);
  const page = world.page({ carrier: 'longpoll', to: 'raw' });
  await world.clock.advance(5); // the creation is on its way
  const used = page.client.use('websocket');
  for (let n = 1; n <= 3; n++) page.client.send(n);
  await world.clock.advance(10_000);
  await used;
  assert.equal(world.server.created, 1);
  assert.deepEqual(world.server.raw, [1, 2, 3]);
  assert.deepEqual(page.errors, []);
});

test('a move to a carrier that is mute fails, and the old one goes on', async () => {
  for (const to of ['websocket', 'sse', 'bosh']) {
    const world = new World();
    const page = world.page({ queue: { messages: 10_000 }, carrier: 'longpoll' });
    world.fault = ({ kind, url }) => (kind === 'ws' || kind === 'sse' || url === '/http-bind' ? 'mute' : undefined);
    await underLoad(world, page, async () => {
      const used = assert.rejects(page.client.use(to), { code: 'silent' });
      await world.clock.advance(25_000);
      await used;
    });
    assert.equal(page.client.carrier, 'longpoll');
    assert.equal(page.client.state, 'open');
    assert.equal(world.server.created, 1);
  }
});

test('a later wish wins, and the earlier one is told', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll' });
  await world.clock.until(() => page.client.state === 'open');
  const first = assert.rejects(page.client.use('sse'), { code: 'superseded' });
  const second = assert.rejects(page.client.use('bosh'), { code: 'superseded' });
  const third = page.client.use('websocket');
  await world.clock.advance(1000);
  await Promise.all([first, second, third]);
  assert.equal(page.client.carrier, 'websocket');
  assert.equal(world.bosh.sessions.size, 0);
});

test('the session is lost while it moves to BOSH', async () => {
  const world = new World();
  const page = world.page({ carrier: 'sse' });
  await underLoad(world, page, async () => {
    await world.clock.advance(300);
    const used = page.client.use('bosh');
    await world.clock.advance(15);
    world.server.restart();
    await world.clock.until(() => page.client.carrier === 'bosh' && page.client.state === 'open');
    await used;
  });
});

test('a topic that is subscribed to while a move fails is heard', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll' });
  await world.clock.until(() => page.client.state === 'open');
  world.fault = ({ url }) => (url === '/http-bind' ? 'mute' : undefined);
  const used = assert.rejects(page.client.use('bosh'), { code: 'silent' });
  await world.clock.advance(1000);
  const heard = page.listen('room');
  await world.clock.advance(25_000);
  await used;
  world.server.bus.publish('room', 1);
  await world.clock.advance(1000);
  assert.deepEqual(heard.data, [1]);
});

test('raw messages keep their order across a move to BOSH', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll', to: 'raw' });
  await world.clock.until(() => page.client.state === 'open');
  const take = world.server.bus.take.bind(world.server.bus);
  world.server.bus.take = (peer, value) => (peer.to === 'raw' ? world.server.raw.push(value) : take(peer, value));
  for (let n = 0; n < 30; n++) {
    page.client.send(n);
    if (n === 10) page.client.use('bosh');
    await world.clock.advance(5);
  }
  await world.clock.advance(5000);
  assert.deepEqual(world.server.raw, Array.from({ length: 30 }, (_, n) => n));
});
