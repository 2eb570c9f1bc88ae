import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './fake.mjs';

const PUSH = ['websocket', 'sse', 'longpoll'];

for (const carrier of [...PUSH, 'bosh']) {
  test(`${carrier} carries messages both ways, and the end`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const heard = page.listen('room');
    await world.clock.until(() => heard.events.length);
    const answers = Promise.all([1, 2, 3].map((n) => page.client.publish('room', n)));
    await world.clock.advance(1000);
    assert.deepEqual(heard.data, [1, 2, 3]);
    assert.deepEqual(await answers, [1, 2, 3].map((offset) => ({ offset, duplicate: false })));
    assert.deepEqual(page.errors, []);
    assert.equal(page.states.at(-1), `open ${carrier}`);
    assert.deepEqual(world.bosh.sins, []);
    page.client.close();
    await world.clock.advance(1000);
    assert.equal(world.server.sessions.size + world.bosh.sessions.size, 0);
    assert.equal(page.client.state, 'closed');
  });

  test(`${carrier} stays open for an hour without anything to say`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    await world.clock.until(() => page.client.state === 'open');
    await world.clock.advance(3_600_000);
    assert.deepEqual(page.errors, []);
    assert.equal(world.server.created + world.bosh.sessions.size, 1);
    const polls = world.requests.length;
    assert.ok(polls < 150, `${polls} requests`);
  });

  test(`${carrier} carries every character`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const heard = page.listen('room');
    const text = '\u0000\u0001\t\r\n <&>"\' ]]> \u007f\u0085\u2028 \ufffe\uffff \ud800 \udc00x 😀 </json>';
    page.client.publish('room', { [text]: text });
    await world.clock.advance(2000);
    assert.deepEqual(heard.data, [{ [text]: text }]);
  });
}

for (const carrier of PUSH) {
  test(`${carrier}: an object is never larger than the limit, nor the window wider`, async () => {
    const world = new World();
    world.server.limits = { body: 2000, window: 10 };
    const page = world.page({ carrier });
    const heard = page.listen('room');
    const all = Array.from({ length: 100 }, (_, n) => `${n}${'é'.repeat(n)}`);
    for (const data of all) page.client.publish('room', data);
    await world.clock.advance(20_000);
    assert.deepEqual(heard.data, all);
    assert.deepEqual(page.errors, []);
    const largest = Math.max(...world.requests.map(({ body }) => new TextEncoder().encode(body).length));
    assert.ok(largest <= 2000, `${largest} bytes`);
  });

  test(`${carrier}: what is too big for the server is refused, and harms nothing else`, async () => {
    const world = new World();
    world.server.limits = { body: 2000, window: 10 };
    const page = world.page({ carrier });
    const outcome = Promise.allSettled(['a', 'x'.repeat(2000), 'b'].map((data) => page.client.publish('room', data)));
    await world.clock.advance(5000);
    const [a, x, b] = await outcome;
    assert.deepEqual([a.status, x.reason?.code, b.status], ['fulfilled', 'too-big', 'fulfilled']);
    assert.deepEqual(world.server.bus.data('room'), ['a', 'b']);
  });

  test(`${carrier}: acknowledgements are lazy, and come`, async () => {
    const world = new World();
    const page = world.page({ carrier });
    const heard = page.listen('room');
    await world.clock.until(() => heard.events.length);
    const [session] = world.server.sessions.values();
    const before = session.acks.length;
    for (let n = 0; n < 20; n++) world.server.bus.publish('room', n);
    await world.clock.advance(500);
    assert.equal(heard.data.length, 20);
    await world.clock.advance(5000);
    assert.equal(session.out.length, 0, 'all was acknowledged');
    assert.ok(session.acks.length - before <= 4, `${session.acks.length - before} acknowledgements`);
  });

  test(`${carrier}: acknowledgements do not wait while the server keeps much`, async () => {
    const world = new World();
    world.server.limits = { body: 2000, window: 10, outbox: 1000 };
    const page = world.page({ carrier });
    const heard = page.listen('room');
    await world.clock.until(() => heard.events.length);
    const [session] = world.server.sessions.values();
    for (let n = 0; n < 3; n++) world.server.bus.publish('room', 'x'.repeat(300));
    await world.clock.advance(500);
    assert.equal(heard.data.length, 3);
    assert.equal(session.out.length, 0, 'all was acknowledged');
  });
}

test('a page of another origin needs no preflight for push.v1', async () => {
  const world = new World();
  const seen = [];
  const fetch = (url, { headers, method }) => {
    seen.push({ url, headers, method });
    return new Promise(() => {});
  };
  const page = world.page({ carrier: 'longpoll', longpoll: 'https://elsewhere.test/push', fetch });
  await world.clock.advance(100);
  assert.deepEqual(seen, [{ url: 'https://elsewhere.test/push', headers: undefined, method: 'POST' }]);
  page.client.close();
});

test('a proxy that takes less than the server: batches shrink, and what is too big alone is refused', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll' });
  await world.clock.until(() => page.client.state === 'open');
  world.fault = ({ body }) => (body?.length > 5000 ? { status: 413, text: '<html>' } : undefined);
  const all = Array.from({ length: 20 }, (_, n) => String(n).padEnd(1000, '.'));
  const good = Promise.all(all.map((data) => page.client.publish('room', data)));
  const bad = page.client.publish('room', 'x'.repeat(6000));
  const after = page.client.publish('room', 'after');
  const refusal = assert.rejects(bad, { code: 'too-big' });
  await world.clock.advance(200_000);
  await Promise.all([good, refusal, after]);
  assert.deepEqual(world.server.bus.data('room'), [...all, 'after']);
});

test('a proxy that cuts polls after 20 seconds: the client asks for shorter ones', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll' });
  await world.clock.until(() => page.client.state === 'open');
  for (let i = 0; i < 3; i++) {
    await world.clock.advance(20_000);
    if (i === 0) world.cut();
  }
  assert.equal(page.errors.length, 1);
  const { wait } = JSON.parse(world.requests.at(-1).body);
  assert.ok(wait > 10 && wait < 20, `wait ${wait}`);
});

test('a carrier that cannot work here is refused', () => {
  const world = new World();
  assert.throws(() => world.page({ carrier: 'sse', sse: false }), { code: 'unsupported' });
  assert.throws(() => world.page({ carrier: 'pigeon' }), { code: 'unsupported' });
});
