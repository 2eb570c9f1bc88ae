// The BOSH client of the console against answers that a test writes.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { BoshSession } from '../../xmpp/bosh.mjs';
import { parse } from '../../xmpp/xml.mjs';

const HTTPBIND = 'http://jabber.org/protocol/httpbind';
const body = (attributes = '', inside = '') => `<body xmlns='${HTTPBIND}' ${attributes}>${inside}</body>`;
const creation = (more = '') => body(`sid='s1' wait='60' hold='1' requests='2' ver='1.11' ${more}`);

/** A session whose requests wait for the test to answer them. */
class World {
  requests = [];
  seen = [];
  timers = new Set();
  #arrived = [];

  constructor(options = {}) {
    const env = {
      fetch: (url, init) => this.#fetch(init),
      crypto: webcrypto,
      now: () => 0,
      random: () => 0,
      setTimeout: (f, ms) => {
        const timer = { f, ms };
        this.timers.add(timer);
        return timer;
      },
      clearTimeout: (timer) => this.timers.delete(timer),
    };
    const on = { end: (reason) => (this.end = reason.condition) };
    this.session = new BoshSession({ url: '/http-bind', env, on, ...options });
  }

  #fetch({ body: text }) {
    return new Promise((resolve, reject) => {
      const request = {
        text,
        element: parse(text),
        answer: (xml, status = 200) => resolve({ ok: status === 200, status, text: async () => xml }),
        cut: () => reject(new Error('cut')),
      };
      this.requests.push(request);
      this.#arrived.shift()?.();
    });
  }

  /** The next request that was sent. */
  async next() {
    if (!this.requests.length) await new Promise((resolve) => this.#arrived.push(resolve));
    return this.requests.shift();
  }

  /** Runs the timers that repeat requests: the others last longer. */
  repeat() {
    for (const timer of this.timers) {
      if (timer.ms > 1000) continue;
      this.timers.delete(timer);
      timer.f();
    }
  }

  channel(to, options) {
    const channel = this.session.connect({ to, ...options });
    channel.onelement = (element) => this.seen.push(`${to} ${element.name}`);
    return channel;
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('B-14.1 the first rid is large and leaves room below 2^53', async () => {
  for (let i = 0; i < 50; i++) {
    const world = new World();
    world.channel('a.example');
    const rid = Number((await world.next()).element.attr('rid'));
    assert.ok(rid > 0 && rid < 2 ** 52, String(rid));
  }
});

test('B-14.5 answers are taken in the order of the requests', async () => {
  const world = new World();
  const channel = world.channel('a.example');
  (await world.next()).answer(creation());
  const held = await world.next();
  channel.send('<iq/>');
  const second = await world.next();
  assert.equal(Number(second.element.attr('rid')), Number(held.element.attr('rid')) + 1);
  second.answer(body('', "<second xmlns='x'/>"));
  await settled();
  assert.deepEqual(world.seen, []);
  held.answer(body('', "<first xmlns='x'/>"));
  await settled();
  assert.deepEqual(world.seen, ['a.example first', 'a.example second']);
});

test('B-14.10 a request whose answer got lost is sent again, byte for byte', async () => {
  const world = new World();
  world.channel('a.example').send('<iq/>');
  (await world.next()).answer(creation());
  const first = await world.next();
  first.cut();
  await settled();
  world.repeat();
  assert.equal((await world.next()).text, first.text);
});

test('B-17.21 after type=error, that request and those before it are sent again', async () => {
  const world = new World();
  const channel = world.channel('a.example');
  (await world.next()).answer(creation());
  const held = await world.next();
  channel.send('<iq/>');
  const second = await world.next();
  second.answer(body("type='error'"));
  await settled();
  world.repeat();
  assert.deepEqual([(await world.next()).text, (await world.next()).text], [held.text, second.text]);
  held.answer(body("type='error'")); // the server lets the older copy go
  await settled();
  world.repeat();
  assert.equal(world.requests.length, 0, 'once');
});

test('never more requests than agreed are open', async () => {
  const world = new World();
  const channel = world.channel('a.example');
  (await world.next()).answer(creation());
  await world.next();
  channel.send('<iq/>');
  await world.next();
  channel.send('<iq/>');
  await settled();
  assert.equal(world.requests.length, 0);
});

test('B-16.3 a second stream fails where the server told no name of the first', async () => {
  const world = new World();
  world.channel('a.example');
  (await world.next()).answer(creation());
  const held = await world.next();
  const second = world.channel('b.example');
  const add = await world.next();
  held.answer(body());
  add.answer(body());
  assert.equal((await second.closed).condition, 'feature-not-implemented');
  assert.equal(world.end, undefined);
});

async function twoStreams() {
  const world = new World();
  const first = world.channel('a.example');
  (await world.next()).answer(creation("stream='one'"));
  const held = await world.next();
  const second = world.channel('b.example');
  const add = await world.next();
  held.answer(body());
  add.answer(body("stream='two'"));
  const last = await world.next();
  return { world, first, second, add, last };
}

test('B-16.5 B-16.6 B-16.7 a stream is added by an empty body with to and version, in the same sequence', async () => {
  const { add, last } = await twoStreams();
  const { attributes, children } = add.element;
  assert.deepEqual([attributes.to, attributes['xmpp:version'], attributes.stream, children.length], ['b.example', '1.0', undefined, 0]);
  for (const name of ['ver', 'content', 'hold', 'wait']) assert.equal(attributes[name], undefined, name);
  assert.equal(Number(last.element.attr('rid')), Number(attributes.rid) + 1);
});

test('B-16.13 B-16.14 what is sent names its stream, and two streams share no body', async () => {
  const { world, first, second } = await twoStreams();
  first.send("<a xmlns='x'/>");
  second.send("<b xmlns='x'/>");
  first.send("<c xmlns='x'/>");
  const one = await world.next();
  assert.deepEqual([one.element.attr('stream'), one.element.elements.map(({ name }) => name).join()], ['one', 'a,c']);
});

test('B-16.19 payloads without a name are the first stream’s', async () => {
  const { world, last } = await twoStreams();
  last.answer(body('', "<m xmlns='x'/>"));
  await settled();
  assert.deepEqual(world.seen, ['a.example m']);
});

test('B-16.24 the end of one stream leaves the others', async () => {
  const { world, first, second, last } = await twoStreams();
  last.answer(body("type='terminate' condition='remote-connection-failed' stream='two'"));
  assert.equal((await second.closed).condition, 'remote-connection-failed');
  assert.equal(first.ended, undefined);
  assert.equal(world.session.over, false);
  await world.next(); // it goes on
});

test('B-16.25 an end without a name ends all', async () => {
  const { world, first, second, last } = await twoStreams();
  last.answer(body("type='terminate' condition='item-not-found'"));
  assert.deepEqual([(await first.closed).condition, (await second.closed).condition], ['item-not-found', 'item-not-found']);
  assert.equal(world.end, 'item-not-found');
});

test('B-16.15 payloads of a stream that never was end the session', async () => {
  const { world, last } = await twoStreams();
  last.answer(body("stream='three'", "<m xmlns='x'/>"));
  await settled();
  assert.equal(world.end, 'item-not-found');
});

test('X-06.1 the end of a stream has the server’s own condition and text', async () => {
  const world = new World();
  const channel = world.channel('a.example');
  const error = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>again?</text></stream:error>";
  (await world.next()).answer(creation());
  (await world.next()).answer(body("type='terminate' condition='remote-stream-error'", error));
  assert.equal((await channel.closed).message, 'conflict: again?');
});

test('a server that is not there is told at once', async () => {
  const world = new World();
  const channel = world.channel('a.example');
  (await world.next()).answer('<html/>', 404);
  assert.equal((await channel.closed).message, 'network: HTTP 404');
});
