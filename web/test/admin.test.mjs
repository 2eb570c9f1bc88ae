// The page for who operates a server: what it lists, what it shows of one session,
// and what it does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { connect } from '../client/mochi.js';
import { openPage, startServer } from './browser.mjs';
import { build } from './server.mjs';

const goPackage = './cmd/mochibosh';

// Starts a server with a key for its page.
async function startWithKey(t, ...args) {
  const folder = mkdtempSync(join(tmpdir(), 'mochibosh-admin-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { stdout, stderr } = await promisify(execFile)(await build(goPackage), ['key', 'ann', '--admin']);
  const file = join(folder, 'keys');
  writeFileSync(file, stdout);
  const all = ['--push=on', '--admin-key-file', file, '--allow', 'anonymous subscribe publish on *', ...args];
  return { server: await startServer(t, { goPackage, command: ['serve'], args: all }), key: stderr.trim() };
}

async function signIn(t, { server, key }, profile) {
  const page = await openPage(t, `${server.url}/admin/`, profile);
  await page.getByLabel('Key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

// A client in Node.js that is subscribed, and what it is told.
async function subscriber(t, url, topic) {
  const client = connect({ url, carrier: 'longpoll' });
  t.after(() => client.close());
  const told = [];
  const closed = new Promise((resolve) => client.on('state', (event) => event.state === 'closed' && resolve(event)));
  await new Promise((subscribed) => client.subscribe(topic, { subscribed, message: ({ data }) => told.push(data) }));
  return { client, told, closed };
}

test('who has no key sees nothing', async (t) => {
  const { server } = await startWithKey(t);
  const page = await openPage(t, `${server.url}/admin/`);
  await page.getByLabel('Key').fill('ma_WRONG');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('this is no key for the admin page').waitFor();
  assert.equal(await page.locator('#inside').isVisible(), false);
});

test('sessions, topics and numbers are shown, and go on', async (t) => {
  const started = await startWithKey(t);
  const page = await signIn(t, started);
  await subscriber(t, started.server.url, 'news');
  await page.locator('#topics td', { hasText: /^news$/ }).waitFor();
  await page.locator('.tile', { hasText: 'Sessions' }).getByText('push.v1 2').waitFor();
  await page.locator('.tile', { hasText: 'Connected by' }).getByText('WebSocket 1 · long-poll 1').waitFor(); // the page itself
  assert.equal(await page.locator('#sessions tbody tr').count(), 2);
  await page.getByLabel('User').fill('$admin/ann');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.locator('#sessions tbody tr').nth(1).waitFor({ state: 'detached' });
  assert.match(await page.locator('#sessions tbody tr').innerText(), /push\.v1\s+\$admin\/ann\s+127\.0\.0\.1/);
});

test('lists have pages', async (t) => {
  const started = await startWithKey(t, '--admin-max-rows=2');
  for (const topic of ['a', 'b', 'c']) await subscriber(t, started.server.url, topic);
  const page = await signIn(t, started);
  const topics = page.locator('#topics');
  await topics.getByRole('button', { name: 'Next' }).click();
  await topics.locator('td', { hasText: /^c$/ }).waitFor();
  assert.equal(await topics.locator('td', { hasText: /^a$/ }).count(), 0);
  await topics.getByRole('button', { name: 'First' }).click();
  await topics.locator('td', { hasText: /^a$/ }).waitFor();
});

test('the windows of a session, and its end: the client is told why', async (t) => {
  const started = await startWithKey(t);
  const { client, closed } = await subscriber(t, started.server.url, 'news');
  for (let i = 0; i < 3; i++) await client.publish('news', i);
  const page = await signIn(t, started);
  await page.locator('#sessions tr', { hasText: '–' }).getByRole('button').first().click();
  const session = page.locator('#session');
  await session.getByText('Acknowledged up to (base)').waitFor();
  const shown = await session.innerText();
  assert.match(shown, /Address\s+127\.0\.0\.1/);
  assert.match(shown, /Next\s+5\s+Window\s+256/); // a subscription and three messages
  assert.match(shown, /Sent up to \(last\)\s+7/); // four answers and three messages
  assert.match(shown, /Pull open\s+yes/);
  await session.getByLabel('Reason').fill('the house is closing');
  await session.getByRole('button', { name: 'End session' }).click();
  await session.getByText(/is over/).waitFor();
  const { error } = await closed;
  assert.match(error.message, /the house is closing/);
});

test('what is published reaches a subscriber', async (t) => {
  const started = await startWithKey(t);
  const { told } = await subscriber(t, started.server.url, 'news');
  const page = await signIn(t, started);
  await page.getByRole('textbox', { name: 'Topic' }).fill('news');
  await page.getByLabel('Data, in JSON or else a text').fill('{"hello":["world"]}');
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.getByText('Published as message 1 of news.').waitFor();
  while (told.length === 0) await new Promise(setImmediate);
  assert.deepEqual(told, [{ hello: ['world'] }]);
  await page.getByRole('textbox', { name: 'Topic' }).fill('$admin/numbers');
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.getByText('Not published: ').waitFor();
});

for (const colorScheme of ['light', 'dark']) {
  for (const [width, height] of [[1280, 900], [390, 800]]) {
    test(`nothing sticks out at ${width} pixels, ${colorScheme}`, async (t) => {
      const started = await startWithKey(t, '--topic=news?slow=drop-oldest');
      await subscriber(t, started.server.url, 'news');
      const page = await signIn(t, started, { colorScheme, viewport: { width, height } });
      await page.locator('#topics td', { hasText: /^news$/ }).waitFor();
      await page.locator('#sessions tbody button').first().click();
      await page.locator('#session meter').first().waitFor();
      await page.locator('.tile', { hasText: 'Memory' }).getByText('MiB').waitFor();
      const wide = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 80)));
      assert.deepEqual(wide, []);
      if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `admin-${width}-${colorScheme}.png`), fullPage: true });
    });
  }
}
