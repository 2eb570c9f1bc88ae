import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './fake.mjs';

const CARRIERS = ['websocket', 'sse', 'longpoll', 'bosh'];

function forget(world, options) {
  world.server.restart(options);
  world.bosh.restart();
  world.cut();
}

for (const carrier of CARRIERS) {
  test(`${carrier}: a new session goes on at the positions`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const heard = page.listen('room');
    await world.clock.until(() => heard.events.length);
    world.server.bus.publish('room', 'a');
    await world.clock.advance(100);
    forget(world);
    for (const data of ['b', 'c']) world.server.bus.publish('room', data);
    const answer = page.client.publish('room', 'd');
    await world.clock.advance(30_000);
    await answer;
    assert.deepEqual(heard.data, ['a', 'b', 'c', 'd']);
    const told = page.sessions.map(({ recovered, resumed }) => ({ recovered, resumed }));
    assert.deepEqual(told, Array(2).fill({ recovered: true, resumed: false }));
  });

  test(`${carrier}: a loss is told`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const heard = page.listen('room');
    await world.clock.until(() => heard.events.length);
    for (const data of ['a', 'b', 'c']) world.server.bus.publish('room', data);
    await world.clock.advance(100);
    forget(world);
    for (const data of ['lost', 'kept']) world.server.bus.publish('room', data);
    world.server.bus.trim('room', 4);
    await world.clock.advance(30_000);
    assert.deepEqual(heard.data, ['a', 'b', 'c', 'kept']);
    assert.equal(page.sessions.at(-1).recovered, false);
    assert.equal(heard.events.at(-1).recovered, false);
  });

  test(`${carrier}: in a new epoch offsets start over`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const heard = page.listen('room');
    await world.clock.until(() => heard.events.length);
    for (const data of ['a', 'b', 'c']) world.server.bus.publish('room', data);
    await world.clock.advance(100);
    forget(world, { keepTopics: false });
    world.server.bus.publish('room', 'new');
    await world.clock.advance(30_000);
    world.server.bus.publish('room', 'newer');
    await world.clock.advance(1000);
    assert.deepEqual(heard.data, ['a', 'b', 'c', 'new', 'newer']);
    assert.deepEqual(heard.offsets, [1, 2, 3, 1, 2]);
    assert.equal(page.sessions.at(-1).recovered, false);
  });

  test(`${carrier}: every promise settles when the client is closed`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    await world.clock.until(() => page.client.state === 'open');
    world.up = false;
    world.cut();
    const outcome = Promise.allSettled([page.client.publish('room', 1), page.client.presence('room'), page.client.use('auto').then(() => {})]);
    await world.clock.advance(3000);
    page.client.close();
    await world.clock.advance(1000);
    const [publish, presence] = await outcome;
    assert.deepEqual([publish.reason.code, presence.reason.code], ['closed', 'closed']);
    await assert.rejects(page.client.publish('room', 2), { code: 'closed' });
    assert.throws(() => page.client.send(2), { code: 'closed' });
    const requests = world.requests.length;
    world.up = true;
    await world.clock.advance(300_000);
    assert.equal(world.requests.length, requests, 'and nothing moves any more');
  });

  test(`${carrier}: refusals reach whom they concern`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const heard = page.listen('secret/1');
    const refused = assert.rejects(page.client.publish('secret/1', 1), { code: 'forbidden' });
    await world.clock.advance(1000);
    await refused;
    assert.deepEqual(heard.events, [{ type: 'error', code: 'forbidden' }]);
  });

  test(`${carrier}: presence`, async () => {
    const world = new World();
    const ann = world.page({ carrier });
    const there = ann.listen('room', { presence: { name: 'Ann' } });
    await world.clock.advance(500);
    const bob = world.page({ carrier });
    bob.listen('room', { presence: { name: 'Bob' } });
    await world.clock.advance(500);
    const members = bob.client.presence('room');
    await world.clock.advance(500);
    assert.deepEqual((await members).map(({ info }) => info.name), ['Ann', 'Bob']);
    bob.client.close();
    await world.clock.advance(500);
    assert.deepEqual(there.events.map(({ type, info }) => `${type} ${info?.name ?? ''}`), ['subscribed ', 'join Bob', 'leave Bob']);
  });

  test(`${carrier}: closing sends what is still to be sent, and works while the page goes`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    await world.clock.until(() => page.client.state === 'open');
    page.client.publish('room', 'last words').catch(() => {});
    page.client.close();
    page.leave();
    await world.clock.advance(1000);
    assert.deepEqual(world.server.bus.data('room'), ['last words']);
    assert.equal(world.server.sessions.size + world.bosh.sessions.size, 0);
    assert.ok(world.requests.at(-1).keepalive);
  });

  test(`${carrier}: a page that goes ends its session`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    await world.clock.until(() => page.client.state === 'open');
    page.leave();
    await world.clock.advance(1000);
    assert.equal(world.server.sessions.size + world.bosh.sessions.size, 0);
  });
}

test('the server ends the session for good', async () => {
  const world = new World();
  const page = world.page();
  await world.clock.until(() => page.client.state === 'open');
  const lost = assert.rejects(page.client.publish('room', 1), { code: 'policy' });
  world.server.end([...world.server.sessions.values()][0], { code: 'policy', message: 'no', retry: false });
  await world.clock.advance(1000);
  await lost;
  assert.equal(page.client.state, 'closed');
  await world.clock.advance(60_000);
  assert.equal(world.server.created, 1);
});

test('the server ends the session, and another makes sense', async () => {
  const world = new World();
  const page = world.page();
  const heard = page.listen('room');
  await world.clock.until(() => heard.events.length);
  world.server.end([...world.server.sessions.values()][0], { code: 'shutdown', retry: true });
  world.server.bus.publish('room', 'meanwhile');
  await world.clock.advance(5000);
  assert.deepEqual(heard.data, ['meanwhile']);
});

test('history comes once, whatever happens before it is there', async () => {
  const world = new World();
  for (let n = 0; n < 10; n++) world.server.bus.publish('room', n);
  const page = world.page({ carrier: 'longpoll' });
  const heard = page.listen('room', { history: 3 });
  await world.clock.advance(55);
  world.server.restart();
  world.cut();
  await world.clock.advance(5000);
  assert.deepEqual(heard.data, [7, 8, 9]);
});

test('raw messages that a lost session had not confirmed are handed back', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll', to: 'raw' });
  await world.clock.until(() => page.client.state === 'open');
  world.fault = ({ body }) => (body?.includes('messages') ? 'refuse' : undefined);
  page.client.send({ a: 1 });
  await world.clock.advance(500);
  world.server.restart();
  world.cut();
  await world.clock.advance(100_000);
  const { recovered, unconfirmed } = page.sessions.at(-1);
  assert.deepEqual({ recovered, unconfirmed }, { recovered: false, unconfirmed: [{ a: 1 }] });
});

test('subscribing again replaces, unsubscribing ends', async () => {
  const world = new World();
  const page = world.page();
  const first = page.listen('room');
  await world.clock.advance(500);
  world.server.bus.publish('room', 1);
  await world.clock.advance(500);
  const second = page.listen('room', { history: 1 });
  first.subscription.unsubscribe();
  await world.clock.advance(500);
  world.server.bus.publish('room', 2);
  await world.clock.advance(500);
  second.subscription.unsubscribe();
  await world.clock.advance(500);
  world.server.bus.publish('room', 3);
  await world.clock.advance(500);
  assert.deepEqual([first.data, second.data], [[1], [1, 2]]);
});

test('a presence that changes loses no message', async () => {
  const world = new World();
  const page = world.page();
  const heard = page.listen('room', { presence: 1 });
  await world.clock.advance(500);
  for (let n = 0; n < 20; n++) {
    world.server.bus.publish('room', n);
    if (n % 5 === 0) heard.subscription.setPresence(n);
    await world.clock.advance(7);
  }
  await world.clock.advance(500);
  assert.deepEqual(heard.data, Array.from({ length: 20 }, (_, n) => n));
});
