import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dice } from './clock.mjs';
import { World } from './fake.mjs';

const KINDS = ['websocket', 'sse', 'longpoll', 'bosh', 'auto'];
const ERRORS = ['lose', 'refuse', 'twice', 700, 3000, { status: 502, text: '<html>' }, { status: 404, text: '<html>' }, { status: 200, text: '<html>login' }];

/** Publishes from the page and from elsewhere for a minute, while `disturb` does its work. */
async function run(world, page, disturb, { seconds = 60, settle = 120_000 } = {}) {
  const heard = page.listen('down');
  await world.clock.until(() => heard.events.length);
  const answers = [];
  for (let n = 0; n < seconds; n++) {
    world.server.bus.publish('down', n);
    answers.push(page.client.publish('up', n));
    await disturb(n);
    await world.clock.advance(1000);
  }
  world.fault = () => undefined;
  world.up = true;
  await world.clock.advance(settle);
  const all = Array.from({ length: seconds }, (_, n) => n);
  assert.deepEqual(heard.data, all, 'down: once and in order');
  assert.deepEqual(world.server.bus.data('up'), all, 'up: once and in order');
  assert.equal((await Promise.all(answers)).length, seconds, 'every promise settled');
  assert.deepEqual(world.bosh.sins, []);
}

for (const carrier of KINDS) {
  for (const seed of [1, 2, 3, 4]) {
    test(`${carrier}: once and in order through a bad network, ${seed}`, async () => {
      const world = new World(seed);
      const page = world.page({ carrier });
      const roll = dice(seed * 1000);
      await run(world, page, () => {
        world.fault = ({ kind }) => {
          if (roll() > 0.3) return undefined;
          const fault = ERRORS[Math.floor(roll() * ERRORS.length)];
          return kind === 'post' ? fault : 'refuse';
        };
        if (roll() < 0.2) world.cut();
      });
    });
  }

  test(`${carrier}: once and in order through cuts of two seconds`, async () => {
    const world = new World(7);
    const page = world.page({ carrier });
    await run(world, page, (n) => {
      world.up = n % 8 < 6;
      if (!world.up) world.cut();
    });
  });

  test(`${carrier}: once and in order through restarts that forget the sessions`, async () => {
    const world = new World(8);
    const page = world.page({ carrier });
    await run(world, page, (n) => {
      if (n % 17 !== 5) return;
      world.server.restart();
      world.bosh.restart();
    });
    assert.ok(page.sessions.length > 2);
    assert.ok(page.sessions.every(({ recovered }) => recovered));
  });

  test(`${carrier}: once and in order while a deploying proxy answers with errors for a minute`, async () => {
    const world = new World(9);
    const page = world.page({ carrier });
    await run(world, page, (n) => {
      if (n === 3) world.cut();
      world.fault = ({ kind }) => {
        if (n < 3 || n > 50) return undefined;
        return kind === 'post' ? { status: [404, 502, 403, 410, 503][n % 5], text: 'gone' } : 'refuse';
      };
    });
    assert.equal(page.sessions.length, 1, 'the session was never given up');
  });
}

for (const carrier of ['websocket', 'sse', 'longpoll']) {
  test(`${carrier}: messages are acknowledged only when their handlers are through`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const finish = [];
    const heard = page.listen('room', { message: ({ data }) => new Promise((resolve) => finish.push([data, resolve])) });
    await world.clock.until(() => heard.events.length);
    const [session] = world.server.sessions.values();
    for (let n = 0; n < 3; n++) world.server.bus.publish('room', n);
    await world.clock.advance(100_000);
    assert.deepEqual(finish.map(([data]) => data), [0], 'one at a time');
    assert.equal(session.out.length, 3);
    assert.equal(page.client.state, 'open', 'a slow handler does not break the connection');
    while (finish.length) {
      finish.shift()[1]();
      await world.clock.advance(6000);
    }
    assert.equal(session.out.length, 0);
    const requests = world.requests.length;
    assert.ok(requests < 150, `${requests} requests`);
  });

  test(`${carrier}: a handler may wait for what it publishes`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const answered = [];
    page.listen('room', { message: async ({ data }) => answered.push((await page.client.publish('log', data)).offset) });
    await world.clock.advance(1000);
    world.server.bus.publish('room', 'a');
    world.server.bus.publish('room', 'b');
    await world.clock.advance(10_000);
    assert.deepEqual(answered, [1, 2]);
  });

  test(`${carrier}: a handler that fails is reported, and stops nothing`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const seen = [];
    page.listen('room', {
      message: ({ data }) => {
        seen.push(data);
        if (data % 2) throw new Error('odd');
        return Promise.reject(new Error('even'));
      },
    });
    await world.clock.advance(1000);
    for (let n = 0; n < 4; n++) world.server.bus.publish('room', n);
    await world.clock.advance(6000);
    assert.deepEqual(seen, [0, 1, 2, 3]);
    assert.deepEqual(page.errors.map((error) => error.message), ['even', 'odd', 'even', 'odd']);
    const [session] = world.server.sessions.values();
    assert.equal(session.out.length, 0);
  });

  test(`${carrier}: raw messages reach another backend once and in order`, async () => {
    const world = new World(5);
    const page = world.page({ carrier, to: 'raw' });
    const roll = dice(55);
    for (let n = 0; n < 50; n++) {
      page.client.send({ n });
      world.fault = ({ kind }) => (roll() < 0.3 ? (kind === 'post' ? ['lose', 'twice', 'refuse'][n % 3] : 'refuse') : undefined);
      if (n % 9 === 4) world.cut();
      await world.clock.advance(500);
    }
    world.fault = () => undefined;
    await world.clock.advance(60_000);
    assert.deepEqual(world.server.raw.map(({ n }) => n), Array.from({ length: 50 }, (_, n) => n));
    const [session] = world.server.sessions.values();
    session.tell('anything');
    await world.clock.advance(100);
    assert.deepEqual(page.raw, ['anything']);
  });
}
