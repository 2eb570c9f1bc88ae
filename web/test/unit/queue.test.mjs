import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './fake.mjs';

for (const carrier of ['websocket', 'longpoll', 'bosh']) {
  const options = (queue) => ({ carrier, queue });

  test(`${carrier}: no more waits than the queue holds, and it empties`, async () => {
    const world = new World();
    world.up = false;
    const page = world.page(options({ messages: 3 }));
    const waiting = [1, 2, 3].map((n) => page.client.publish('room', n));
    await assert.rejects(page.client.publish('room', 4), { code: 'full' });
    world.up = true;
    await world.clock.advance(30_000);
    await Promise.all(waiting);
    const again = page.client.publish('room', 5);
    await world.clock.advance(1000);
    await again;
    assert.deepEqual(world.server.bus.data('room'), [1, 2, 3, 5]);
  });

  test(`${carrier}: no more bytes wait than the queue holds`, async () => {
    const world = new World();
    world.up = false;
    const page = world.page(options({ bytes: 1000 }));
    page.client.publish('room', 'x'.repeat(700)).catch(() => {});
    await assert.rejects(page.client.publish('room', 'ü'.repeat(100)), { code: 'full' });
  });

  test(`${carrier}: what cannot be sent for too long is told so, and not sent any more`, async () => {
    const world = new World();
    const page = world.page(options({ age: 20_000 }));
    await world.clock.until(() => page.client.state === 'open');
    world.up = false;
    world.cut();
    await world.clock.advance(1000);
    const late = assert.rejects(page.client.publish('room', 'late'), { code: 'timeout' });
    await world.clock.advance(15_000);
    const kept = page.client.publish('room', 'kept');
    await world.clock.advance(6000);
    await late;
    world.up = true;
    await world.clock.advance(60_000);
    await kept;
    // BOSH repeats its requests as they are.
    assert.deepEqual(world.server.bus.data('room'), carrier === 'bosh' ? ['late', 'kept'] : ['kept']);
  });

  test(`${carrier}: the same if the session is lost meanwhile`, async () => {
    const world = new World();
    const page = world.page(options({ age: 20_000 }));
    await world.clock.until(() => page.client.state === 'open');
    world.up = false;
    world.cut();
    world.server.restart();
    world.bosh.restart();
    const late = assert.rejects(page.client.publish('room', 'late'), { code: 'timeout' });
    await world.clock.advance(25_000);
    await late;
    world.up = true;
    await world.clock.advance(60_000);
    assert.equal(page.client.state, 'open');
    assert.deepEqual(world.server.bus.data('room'), carrier === 'bosh' ? ['late'] : []);
  });

  test(`${carrier}: messages of one’s own have the same limit`, async () => {
    const world = new World();
    const page = world.page({ ...options({ messages: 2 }), to: 'raw' });
    await world.clock.until(() => page.client.state === 'open');
    world.up = false;
    world.cut();
    page.client.send(1);
    page.client.send(2);
    assert.throws(() => page.client.send(3), { code: 'full' });
  });
}

test('what was published long before a reload is not published again', async () => {
  const world = new World();
  const options = { resume: 'app', queue: { age: 20_000 } };
  let page = world.page(options);
  await world.clock.until(() => page.client.state === 'open');
  world.up = false;
  world.cut();
  page.client.publish('room', 'old').catch(() => {});
  await world.clock.advance(100);
  page.leave();
  world.server.restart();
  await world.clock.advance(30_000);
  world.up = true;
  page = page.duplicate();
  await world.clock.advance(30_000);
  assert.equal(page.client.state, 'open');
  assert.deepEqual(world.server.bus.data('room'), []);
});
