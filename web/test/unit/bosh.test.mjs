import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap, wrap } from '../../client/bosh/body.js';
import { DOMParser } from './boshserver.mjs';
import { World } from './fake.mjs';

async function open(world, options) {
  const page = world.page({ carrier: 'bosh', ...options });
  await world.clock.until(() => page.client.state === 'open');
  await world.clock.advance(100);
  return page;
}

const rid = ({ body }) => Number(/ rid='(\d+)'/.exec(body)[1]);

test('B-07.2 B-07.3 B-07.4 B-07.5 B-07.7 B-07.8 B-07.15 B-09.8 the creation is as XEP-0124 §7.1 wants it', async () => {
  const world = new World();
  await open(world, { to: 'example.test' });
  const { body, url } = world.requests[0];
  assert.equal(url, '/http-bind');
  for (const attribute of ["to='example.test'", "xml:lang='en'", "ver='1.11'", "wait='60'", "hold='1'", "ack='1'"]) {
    assert.ok(body.includes(` ${attribute}`), `${attribute} in ${body}`);
  }
  assert.ok(!body.includes('sid='));
  assert.ok(rid(world.requests[0]) > 0 && rid(world.requests[0]) < 2 ** 52);
});

test('B-14.10 a request without an answer is repeated, byte for byte, after a tenth more than the wait', async () => {
  const world = new World();
  const page = await open(world);
  world.muteAll('post');
  const held = world.requests.at(-1);
  await world.clock.advance(65_000);
  assert.equal(world.requests.at(-1), held);
  await world.clock.advance(2000);
  assert.notEqual(world.requests.at(-1), held);
  assert.equal(world.requests.at(-1).body, held.body);
  assert.deepEqual(page.states.slice(-2), ['reconnecting bosh', 'open bosh']);
  assert.deepEqual(world.bosh.sins, []);
});

test('B-17.22 type=error: that request and all earlier ones are repeated (XEP-0124 §17.3)', async () => {
  const world = new World();
  const page = await open(world);
  const held = world.requests.at(-1);
  let once = true;
  world.fault = ({ body }) => {
    if (!once || !body.includes('urn:xmpp:json')) return undefined;
    once = false;
    return { status: 200, text: wrap({ type: 'error' }) };
  };
  const answer = page.client.publish('room', 1);
  await world.clock.advance(5000);
  assert.deepEqual(await answer, { offset: 1, duplicate: false });
  const count = (request) => world.requests.filter(({ body }) => body === request.body).length;
  assert.equal(count(held), 2);
  assert.deepEqual(world.bosh.sins, []);
});

test('B-11.1 B-14.1 the rid goes up by one, and never are more than two requests open', async () => {
  const world = new World();
  const page = await open(world);
  let open_ = 0;
  let most = 0;
  const { post } = world.bosh;
  world.bosh.post = function (text, answer) {
    most = Math.max(most, ++open_);
    post.call(this, text, (reply) => {
      open_--;
      answer(reply);
    });
  };
  for (let n = 0; n < 50; n++) {
    page.client.publish('room', n);
    await world.clock.advance(5);
  }
  await world.clock.advance(2000);
  const rids = world.requests.map(rid);
  rids.forEach((value, i) => i && assert.equal(value, rids[i - 1] + 1));
  assert.ok(most <= 2, `${most} open`);
});

test('what was published together travels in one body', async () => {
  const world = new World();
  const page = await open(world);
  const before = world.requests.length;
  for (let n = 0; n < 50; n++) page.client.publish('room', n);
  await world.clock.advance(1000);
  assert.equal(world.requests.slice(before).filter(({ body }) => body.includes('urn:xmpp:json')).length, 1);
});

test('B-13.8 B-17.4 an HTTP error is a proxy and ends nothing; a terminate does', async () => {
  const world = new World();
  const page = await open(world);
  world.fault = () => ({ status: 404, text: '' });
  world.cut();
  await world.clock.advance(60_000);
  world.fault = () => undefined;
  await world.clock.advance(30_000);
  assert.equal(world.bosh.sessions.size, 1);
  assert.equal(page.sessions.length, 1);
  world.fault = () => ({ status: 200, text: wrap({ type: 'terminate', condition: 'host-unknown' }) });
  world.cut();
  await world.clock.advance(5000);
  assert.equal(page.client.state, 'closed');
});

test('bodies carry what JSON can say', () => {
  const values = ['\u0000\u001f\ufffe\uffff\ud800', { '<&>\'"': ']]>' }, null, 0, false, '😀\r\n'];
  const text = wrap({ to: `a'b<c&"` }, values.map((value) => JSON.stringify(value)));
  assert.deepEqual(unwrap(DOMParser, text).messages, values);
});

test('what is no body of BOSH is nothing', () => {
  assert.equal(unwrap(DOMParser, '<html></html>'), undefined);
  assert.equal(unwrap(DOMParser, "<body xmlns='other'></body>"), undefined);
});

test('a poll that our own message had answered is no reason to rest before the next', async () => {
  const world = new World();
  const page = await open(world);
  const heard = page.listen('room');
  await world.clock.advance(2000);
  for (let n = 0; n < 3; n++) {
    world.server.bus.publish('room', n);
    await world.clock.advance(100);
    // A message that the bus does not answer: only the poll is answered, by an empty body.
    if (n === 0) page.client.send({ op: 'unknown', topic: 'room' });
    await world.clock.advance(100);
  }
  assert.deepEqual(heard.data, [0, 1, 2]);
});
