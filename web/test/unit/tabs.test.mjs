import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './fake.mjs';

const GUARDS = { 'with locks': {}, 'without locks': { locks: null } };

/** Tabs of one browser, and what each of them hears in a room. */
async function open(world, count, options) {
  const tabs = Array.from({ length: count }, () => world.page({ tabs: 'app', ...options }));
  const heard = tabs.map((tab) => tab.listen('room', { presence: 'me' }));
  await world.clock.until(() => heard.every(({ events }) => events.length));
  return { tabs, heard };
}

const leaders = (tabs) => tabs.filter(({ client }) => client.leading);

for (const [guard, locks] of Object.entries(GUARDS)) {
  for (const carrier of ['websocket', 'longpoll', 'bosh']) {
    const options = { carrier, ...locks };

    test(`${guard}, ${carrier}: ten tabs have one session, and each hears everything`, async () => {
      const world = new World();
      const { tabs, heard } = await open(world, 10, options);
      assert.equal(world.server.created + world.bosh.sessions.size, 1);
      assert.equal(leaders(tabs).length, 1);
      const told = tabs.map(({ client }, n) => client.publish('room', n));
      await world.clock.advance(1000);
      await Promise.all(told);
      for (const { data } of heard) assert.deepEqual(data, world.server.bus.data('room'));
      assert.deepEqual(world.server.bus.data('room').toSorted(), Array.from(tabs, (_, n) => n));
      assert.deepEqual(new Set(tabs.map(({ client }) => `${client.state} ${client.carrier}`)), new Set([`open ${carrier}`]));
    });

    for (const how of ['is closed', 'closes its client']) {
      test(`${guard}, ${carrier}: the tab that leads ${how} under load: nothing is lost, nothing comes twice`, async () => {
        const world = new World();
        const { tabs, heard } = await open(world, 3, options);
        let n = 0;
        let stopped = false;
        const told = [];
        const talk = () => {
          if (stopped) return;
          world.server.bus.publish('room', n++);
          for (const tab of tabs) if (!tab.gone) told.push(tab.client.publish('up', `${tabs.indexOf(tab)} ${n}`).catch(({ code }) => code));
          world.later(talk, 20);
        };
        talk();
        for (let round = 1; round < tabs.length; round++) {
          await world.clock.advance(700);
          const [leader] = leaders(tabs);
          leader.gone = true;
          if (how === 'is closed') leader.leave();
          else leader.client.close();
          await world.clock.until(() => leaders(tabs.filter(({ gone }) => !gone)).some(({ client }) => client.state === 'open'));
        }
        await world.clock.advance(1000);
        stopped = true;
        await world.clock.advance(30_000);
        const last = tabs.findIndex(({ gone }) => !gone);
        assert.deepEqual(heard[last].data, Array.from({ length: n }, (_, i) => i));
        const up = world.server.bus.data('up');
        assert.equal(new Set(up).size, up.length, 'nothing twice');
        const ours = up.filter((text) => text.startsWith(`${last} `));
        assert.deepEqual(ours, Array.from({ length: n }, (_, i) => `${last} ${i + 1}`));
        if (carrier !== 'bosh') assert.equal(world.server.created, 1, 'it is the same session');
      });
    }
  }

  test(`${guard}: a topic is left when the last tab left it`, async () => {
    const world = new World();
    const { tabs, heard } = await open(world, 3, locks);
    const { peers } = world.server.bus.topic('room');
    heard[0].subscription.unsubscribe();
    const [gone] = tabs.slice(1).filter(({ client }) => !client.leading);
    gone.leave();
    await world.clock.advance(1000);
    assert.equal(peers.size, 1);
    for (const { subscription } of heard) subscription.unsubscribe();
    await world.clock.advance(1000);
    assert.equal(peers.size, 0);
  });

  test(`${guard}: the last tab ends the session when it closes its client`, async () => {
    const world = new World();
    const { tabs } = await open(world, 2, locks);
    const [first] = leaders(tabs);
    const [last] = tabs.filter((tab) => tab !== first);
    first.client.close();
    await world.clock.until(() => last.client.leading && last.client.state === 'open');
    last.client.close();
    await world.clock.advance(2000);
    assert.equal(world.server.sessions.size, 0);
  });

  test(`${guard}: a reload of the tab that leads keeps the session`, async () => {
    const world = new World();
    const { tabs } = await open(world, 1, { ...locks, resume: 'app' });
    world.server.bus.publish('room', 1);
    await world.clock.advance(500);
    const again = tabs[0].reload();
    const heard = again.listen('room');
    world.server.bus.publish('room', 2);
    await world.clock.advance(10_000);
    assert.equal(world.server.created, 1);
    assert.deepEqual(heard.data, [2]);
    assert.deepEqual(again.sessions.map(({ resumed }) => resumed), [true]);
  });
}

test('a tab that comes later gets its history, and the others nothing twice', async () => {
  const world = new World();
  const { heard } = await open(world, 2);
  for (const n of [1, 2, 3]) world.server.bus.publish('room', n);
  await world.clock.advance(500);
  const late = world.page({ tabs: 'app' }).listen('room', { history: 2 });
  await world.clock.advance(1000);
  assert.deepEqual([...heard.map(({ data }) => data), late.data], [[1, 2, 3], [1, 2, 3], [2, 3]]);
});

test('a refusal reaches the tab that it concerns, and no other', async () => {
  const world = new World();
  const { tabs } = await open(world, 3);
  const told = assert.rejects(tabs[1].client.publish('secret/1', 1), { code: 'forbidden' });
  const heard = tabs[2].listen('secret/2');
  await world.clock.advance(1000);
  await told;
  assert.deepEqual(heard.events, [{ type: 'error', code: 'forbidden' }]);
  assert.deepEqual(tabs.flatMap(({ errors }) => errors), []);
});

test('a new session is told to all tabs, with what was recovered', async () => {
  const world = new World();
  const { tabs, heard } = await open(world, 3);
  world.server.restart();
  world.cut();
  world.server.bus.publish('room', 'meanwhile');
  await world.clock.advance(10_000);
  for (const { sessions } of tabs) assert.deepEqual(sessions.at(-1), { resumed: false, recovered: true, unconfirmed: [] });
  for (const { data } of heard) assert.deepEqual(data, ['meanwhile']);
});

test('all tabs are told when the server ends the session for good', async () => {
  const world = new World();
  const { tabs } = await open(world, 3);
  const lost = tabs.map(({ client }) => assert.rejects(client.publish('room', 1), { code: 'policy' }));
  world.server.end([...world.server.sessions.values()][0], { code: 'policy', message: 'no', retry: false });
  await world.clock.advance(1000);
  await Promise.all(lost);
  assert.deepEqual(tabs.map(({ client }) => client.state), ['closed', 'closed', 'closed']);
});

test('a tab that is slow asks again for what it could not take', async () => {
  const world = new World();
  const { tabs } = await open(world, 2);
  const [slow] = tabs.filter(({ client }) => !client.leading);
  const seen = [];
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  slow.client.subscribe('many', { history: 0, message: ({ data }) => gate.then(() => seen.push(data)) });
  await world.clock.advance(500);
  for (let n = 0; n < 1500; n++) world.server.bus.publish('many', n);
  await world.clock.advance(1000);
  go();
  await world.clock.advance(5000);
  assert.deepEqual(seen, Array.from({ length: 1500 }, (_, n) => n));
});

test('above the limit a tab has a connection of its own', async () => {
  const world = new World();
  const tabs = Array.from({ length: 50 }, () => world.page({ tabs: 'app' }));
  await world.clock.until(() => tabs.every(({ client }) => client.state === 'open'));
  assert.equal(world.server.created, 1);
  const more = world.page({ tabs: 'app' });
  await world.clock.until(() => more.client.state === 'open');
  assert.equal(world.server.created, 2);
  assert.equal(leaders([...tabs, more]).length, 2);
});

test('two who led at once agree on one, and nothing is lost', async () => {
  const world = new World();
  const { tabs, heard } = await open(world, 2, { locks: null });
  // One did not hear of the other: it was asleep when they talked.
  const third = world.page({ tabs: 'app', locks: null, BroadcastChannel: deaf(world, tabs[0]) });
  const more = third.listen('room');
  await world.clock.until(() => third.client.state === 'open');
  world.hears = true;
  await world.clock.advance(20_000);
  assert.equal(leaders([...tabs, third]).length, 1);
  world.server.bus.publish('room', 1);
  await world.clock.advance(1000);
  assert.deepEqual([...heard, more].map(({ data }) => data), [[1], [1], [1]]);
});

/** A channel that carries nothing until the world hears. */
function deaf(world, page) {
  return class extends page.BroadcastChannel {
    postMessage(data) {
      if (world.hears) super.postMessage(data);
    }

    set onmessage(listener) {
      this.listener = listener;
    }

    get onmessage() {
      return world.hears ? this.listener : undefined;
    }
  };
}
