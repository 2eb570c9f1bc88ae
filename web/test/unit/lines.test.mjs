import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeInbox, makeOutbox } from '../../client/lines.js';
import { dice } from './clock.mjs';
import { World } from './fake.mjs';

test('an acknowledgement never skips a message whose handler still runs', () => {
  const inbox = makeInbox(10);
  for (const n of [11, 12, 13]) assert.ok(inbox.take(n));
  inbox.settle(13);
  inbox.settle(12);
  assert.equal(inbox.handled, 10);
  inbox.settle(11);
  assert.equal(inbox.handled, 13);
});

test('a message that was seen is no news', () => {
  const inbox = makeInbox(10);
  assert.equal(inbox.take(10), false);
  assert.equal(inbox.take(11), true);
  assert.equal(inbox.take(11), false);
});

test('a batch keeps to the window and to the room', () => {
  const outbox = makeOutbox(5, ['"1"', '"2"', '"3"', '"4"']);
  assert.deepEqual(outbox.batch(5, 10, 9), { first: 6, last: 7, messages: ['"1"', '"2"'] });
  assert.deepEqual(outbox.batch(7, 3, 100), { first: 8, last: 8, messages: ['"3"'] });
  assert.equal(outbox.batch(8, 3, 100), undefined);
  assert.deepEqual(outbox.batch(5, 10, 1).messages, ['"1"'], 'one goes even if it is too big');
});

test('an old acknowledgement changes nothing', () => {
  const outbox = makeOutbox(5, ['1', '2', '3']);
  for (const ack of [7, 6, 0, undefined]) outbox.confirm(ack);
  assert.deepEqual([outbox.acked, outbox.last, outbox.unacknowledged], [7, 8, ['3']]);
});

for (const carrier of ['websocket', 'sse', 'longpoll', 'auto']) {
  test(`${carrier}: messages of another backend arrive once and in order through a bad network`, async () => {
    const world = new World(11);
    const page = world.page({ carrier, to: 'raw' });
    await world.clock.until(() => page.client.state === 'open');
    const [session] = world.server.sessions.values();
    const roll = dice(12);
    for (let n = 0; n < 100; n++) {
      session.tell(n);
      world.fault = ({ kind }) => (roll() < 0.3 ? (kind === 'post' ? ['lose', 'twice', 'refuse', 900][n % 4] : 'refuse') : undefined);
      if (n % 9 === 4) world.cut();
      await world.clock.advance(roll() * 800);
    }
    world.fault = () => undefined;
    await world.clock.advance(60_000);
    assert.deepEqual(page.raw, Array.from({ length: 100 }, (_, n) => n));
    assert.equal(world.server.created, 1);
  });
}

test('handlers of two topics do not wait for each other, and the acknowledgement waits for both', async () => {
  const world = new World();
  const page = world.page({ carrier: 'websocket' });
  let finish;
  page.listen('slow', { message: () => new Promise((resolve) => (finish = resolve)) });
  const quick = page.listen('quick');
  await world.clock.advance(500);
  const [session] = world.server.sessions.values();
  world.server.bus.publish('slow', 1);
  for (let n = 0; n < 40; n++) world.server.bus.publish('quick', n);
  await world.clock.advance(6000);
  assert.equal(quick.data.length, 40);
  assert.equal(session.out.length, 41);
  finish();
  await world.clock.advance(6000);
  assert.equal(session.out.length, 0);
});

test('a message of the bus that was seen is dropped, whatever brings it', async () => {
  const world = new World();
  const page = world.page();
  const heard = page.listen('room');
  await world.clock.advance(500);
  for (const data of ['a', 'b']) world.server.bus.publish('room', data);
  const [session] = world.server.sessions.values();
  session.tell({ type: 'message', topic: 'room', offset: 1, data: 'a' });
  await world.clock.advance(500);
  assert.deepEqual(heard.data, ['a', 'b']);
});
