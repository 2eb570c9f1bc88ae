import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './fake.mjs';

const MINUTE = 60_000;

/** Whether messages get through both ways now. */
async function works(world, page) {
  const text = `at ${world.clock.now()}`;
  const heard = page.listen(text);
  const answer = page.client.publish(text, text);
  await world.clock.until(() => heard.data.length, 10_000);
  await answer;
  heard.subscription.unsubscribe();
}

test('a WebSocket is the first choice', async () => {
  const world = new World();
  const page = world.page();
  await world.clock.advance(500);
  assert.equal(page.client.carrier, 'websocket');
});

test('without WebSocket events are streamed, at once', async () => {
  const world = new World();
  world.fault = ({ kind }) => (kind === 'ws' ? 'refuse' : undefined);
  const page = world.page();
  await world.clock.advance(500);
  assert.equal(`${page.client.state} ${page.client.carrier}`, 'open sse');
  await works(world, page);
});

test('proxies that buffer streams and sockets are found out by their silence', async () => {
  const world = new World();
  world.fault = ({ kind }) => (kind === 'post' ? undefined : 'mute');
  const page = world.page();
  await world.clock.advance(10_500);
  assert.equal(`${page.client.state} ${page.client.carrier}`, 'open longpoll');
  await works(world, page);
});

for (const [kind, carrier, next] of [['ws', 'websocket', 'sse'], ['sse', 'sse', 'longpoll']]) {
  test(`${carrier} that falls silent later is left within two pings`, async () => {
    const world = new World();
    world.fault = (request) => (kind === 'sse' && request.kind === 'ws' ? 'refuse' : undefined);
    const page = world.page();
    await world.clock.advance(30_000);
    assert.equal(page.client.carrier, carrier);
    world.muteAll(kind);
    await world.clock.advance(41_000);
    assert.equal(`${page.client.state} ${page.client.carrier}`, `open ${next}`);
    await works(world, page);
  });
}

test('what failed is tried again later, ever more rarely, and used when it works', async () => {
  const world = new World();
  let attempts = 0;
  world.fault = ({ kind }) => {
    if (kind === 'ws') attempts++;
    return kind === 'post' ? undefined : 'refuse';
  };
  const page = world.page();
  await world.clock.advance(1000);
  assert.equal(page.client.carrier, 'longpoll');
  await world.clock.advance(60 * MINUTE);
  assert.ok(attempts >= 5 && attempts <= 10, `${attempts} attempts in an hour`);
  world.fault = () => undefined;
  await world.clock.advance(40 * MINUTE);
  assert.equal(page.client.carrier, 'websocket');
  assert.equal(world.server.created, 1, 'in the same session');
  assert.ok(!page.states.some((state) => state.startsWith('reconnecting')), 'nobody noticed');
});

test('a network that is down is not held against a carrier', async () => {
  const world = new World();
  const page = world.page();
  await world.clock.advance(1000);
  world.up = false;
  world.cut();
  await world.clock.advance(5 * MINUTE);
  assert.equal(page.client.state, 'reconnecting');
  world.up = true;
  await world.clock.advance(30_000);
  assert.equal(`${page.client.state} ${page.client.carrier}`, 'open websocket');
});

test('a sleep of the machine is not held against a carrier', async () => {
  const world = new World();
  const page = world.page();
  await world.clock.advance(1000);
  world.clock.sleep(30 * MINUTE);
  world.muteAll('ws');
  await world.clock.advance(5000);
  assert.equal(`${page.client.state} ${page.client.carrier}`, 'open websocket');
});

test('the choice can be given back', async () => {
  const world = new World();
  const page = world.page({ carrier: 'longpoll' });
  await world.clock.advance(1000);
  await page.client.use('auto');
  await world.clock.advance(1000);
  assert.equal(page.client.carrier, 'websocket');
});

test('a first attempt that never ends does not end the client', async () => {
  const world = new World();
  world.fault = () => 'mute';
  const page = world.page();
  await world.clock.advance(MINUTE);
  assert.equal(page.client.state, 'connecting');
  world.fault = () => undefined;
  await world.clock.advance(MINUTE);
  assert.equal(page.client.state, 'open');
});
