// The client and the program, where it matters what the server has to say of a topic.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../client/mochi.js';
import { startServer } from './browser.mjs';

const goPackage = './cmd/mochibosh';
const secret = 'a secret of more than 32 bytes, for these tests';

function open(t, options) {
  const client = connect({ carrier: 'longpoll', ...options });
  t.after(() => client.close());
  return client;
}

/** Resolves with the first event of a kind. */
const first = (client, topic, kind, options = {}) => new Promise((resolve) => client.subscribe(topic, { ...options, [kind]: resolve }));

function token(topics, seconds) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256' })}.${part({ sub: 'ann', exp: Math.floor(Date.now() / 1000) + seconds, topics })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

test('who publishes learns who has acknowledged it', async (t) => {
  const { url } = await startServer(t, { goPackage, command: ['serve'], args: ['--dev'] });
  const [shop, customer] = [open(t, { url }), open(t, { url })];
  const { member } = await first(customer, 'orders', 'subscribed', { presence: 1 });
  let seen;
  const receipt = new Promise((resolve) => (seen = resolve));
  await new Promise((subscribed) => shop.subscribe('orders/seen', { subscribed, message: ({ data }) => seen(data) }));
  const { offset } = await shop.publish('orders', { n: 7 }, { id: 'order-7', receipts: 'orders/seen' });
  const { topic, offset: of, id, member: by } = await receipt;
  assert.deepEqual({ topic, of, id, by }, { topic: 'orders', of: offset, id: 'order-7', by: member });
});

test('a newer token takes a subscription away, and a place among the members', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mochibosh-topics-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'secret');
  writeFileSync(file, secret);
  const { url } = await startServer(t, { goPackage, command: ['serve'], args: ['--push=on', '--token-key', file] });
  const tokens = [token({ room: ['subscribe', 'presence'], news: ['subscribe'] }, 3), token({ room: ['subscribe'] }, 3600)];
  const client = open(t, { url, token: () => tokens.shift() });
  const strays = [];
  client.on('message', (value) => strays.push(value));
  const told = [first(client, 'room', 'hidden', { presence: 'Ann' }), first(client, 'news', 'unsubscribed')];
  const [hidden, unsubscribed] = await Promise.all(told);
  assert.equal(hidden.code, 'forbidden');
  assert.equal(unsubscribed.code, 'forbidden');
  assert.deepEqual(strays, []);
});
