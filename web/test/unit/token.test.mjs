import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './fake.mjs';

/** A server that knows the tokens ann-1, ann-2, …, from the first that counts. */
function strict() {
  const world = new World();
  world.valid = 1;
  world.asked = 0;
  world.server.signIn = (token) => {
    const [user, n] = String(token ?? '').split('-');
    if (!n) return { code: 'unauthorized' };
    return n >= world.valid ? { user, expires: 60 } : { code: 'expired' };
  };
  world.token = async () => `ann-${++world.asked}`;
  return world;
}

const sessionOf = (world) => [...world.server.sessions.values()][0];

for (const carrier of ['auto', 'websocket', 'sse', 'longpoll']) {
  test(`${carrier}: who has a token comes in, and knows who they are`, async () => {
    const world = strict();
    const page = world.page({ carrier, token: 'ann-1' });
    const told = page.client.publish('room', 1);
    await world.clock.advance(1000);
    await told;
    assert.equal(page.client.user, 'ann');
  });

  test(`${carrier}: a token that is refused, and cannot be had anew, ends the client`, async () => {
    const world = strict();
    const page = world.page({ carrier, token: 'nonsense' });
    const lost = assert.rejects(page.client.publish('room', 1), { code: 'unauthorized' });
    await world.clock.advance(1000);
    await lost;
    assert.equal(page.client.state, 'closed');
    assert.ok(world.requests.length <= 1);
  });

  test(`${carrier}: a function is asked again for one that is taken`, async () => {
    const world = strict();
    world.valid = 3;
    const page = world.page({ carrier, token: world.token });
    await world.clock.until(() => page.client.state === 'open', 20_000);
    assert.equal(world.asked, 3);
  });

  test(`${carrier}: the token is refreshed in the session`, async () => {
    const world = strict();
    const page = world.page({ carrier, token: world.token });
    await world.clock.until(() => page.client.state === 'open');
    const session = sessionOf(world);
    const refreshed = [];
    world.server.refresh = (_session, { token, ref }) => {
      refreshed.push(token);
      session.tell({ type: 'refreshed', ref, expires: 60 });
    };
    session.tell({ type: 'expiring', expires: 5 });
    await world.clock.advance(1000);
    assert.deepEqual(refreshed, ['ann-2']);
    assert.equal(sessionOf(world), session);
    assert.deepEqual(page.raw, []);
  });
}

test('what was refused because the token was too old is asked again with the next one', async () => {
  const world = strict();
  const page = world.page({ token: world.token });
  await world.clock.until(() => page.client.state === 'open');
  const session = sessionOf(world);
  const { bus } = world.server;
  const take = bus.take.bind(bus);
  let old = true;
  bus.take = (peer, value) => (old ? peer.tell({ type: 'error', ref: value.ref, code: 'expired', message: 'expired' }) : take(peer, value));
  const told = page.client.publish('room', 1);
  const heard = page.listen('room', { history: 1 });
  await world.clock.advance(100);
  old = false;
  session.tell({ type: 'expired', grace: 30 });
  await world.clock.advance(1000);
  assert.deepEqual(await told, { offset: 1, duplicate: false });
  assert.deepEqual(heard.data, [1]);
});

test('a session of another user is left alone', async () => {
  const world = strict();
  let page = world.page({ resume: 'app', token: 'ann-1' });
  await world.clock.advance(1000);
  page = page.reload({ resume: 'app', token: 'ben-1' });
  await world.clock.advance(2000);
  assert.equal(page.client.user, 'ben');
  assert.equal(world.server.created, 2);
});

test('a function that fails is asked again, and nothing is sent without a token', async () => {
  const world = strict();
  let times = 0;
  const token = async () => {
    if (++times < 3) throw new Error('the application is down');
    return 'ann-1';
  };
  const page = world.page({ token });
  await world.clock.until(() => page.client.state === 'open', 20_000);
  assert.deepEqual(page.errors.map(({ code }) => code), ['token', 'token']);
});

test('bosh: the token goes in a header', async () => {
  const world = strict();
  const headers = [];
  const page = world.page({ carrier: 'bosh', token: 'ann-1', watch: headers });
  const fetch = world.fetch.bind(world);
  world.fetch = (owner, url, init) => {
    headers.push(init.headers.Authorization);
    return fetch(owner, url, init);
  };
  await world.clock.until(() => page.client.state === 'open');
  assert.deepEqual([headers[0], headers[1]], ['Bearer ann-1', undefined]);
});
