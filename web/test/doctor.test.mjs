// The page that explains what a network does to each carrier, behind networks
// that do it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, startServer } from './browser.mjs';
import { startSite } from './site.mjs';

const isSocket = ({ url }) => url === '/push/ws';
const isStream = ({ method, url }) => method === 'GET' && url.startsWith('/push/sse');
const isPost = ({ method, url }) => method === 'POST' && url === '/push';

// Opens the page behind a network, waits until it is done, and gives what it says.
async function examine(t, fault, seconds = 1) {
  const demo = await startServer(t);
  const site = await startSite(t, demo.url, {}, fault);
  const page = await openPage(t, `${site.url}/push/doctor/?seconds=${seconds}`, { colorScheme: 'dark' });
  await page.locator('#summary:not([data-mood=wait])').waitFor();
  const cards = await page.locator('article').evaluateAll((all) => all.map((card) => [card.dataset.carrier, [card.dataset.verdict, card.innerText]]));
  return { page, summary: await page.locator('#summary').innerText(), ...Object.fromEntries(cards) };
}

test('where nothing is in the way, all carriers work', async (t) => {
  const { summary, websocket, sse, longpoll } = await examine(t);
  assert.deepEqual([websocket[0], sse[0], longpoll[0]], ['good', 'good', 'good']);
  assert.match(websocket[1], /open for 1 s, and nothing disturbed it\. An exchange takes \d+ ms/);
  assert.equal(summary, 'The client works here: it takes WebSocket.');
});

test('a proxy that knows no WebSockets and buffers streams', async (t) => {
  const { summary, websocket, sse, longpoll } = await examine(t, (request) => (isSocket(request) ? 'block' : isStream(request) ? 'buffer' : undefined));
  assert.deepEqual([websocket[0], sse[0], longpoll[0]], ['blocked', 'buffered', 'good']);
  assert.match(sse[1], /keeps what the server says .*proxy_buffering off/s);
  assert.match(summary, /it takes Long-poll, as what would be better does not work/);
});

test('a proxy that cuts what takes long', async (t) => {
  const { summary, websocket, sse, longpoll } = await examine(t, (request) => (isSocket(request) || isStream(request) ? 1500 : isPost(request) ? 4000 : undefined), 20);
  assert.deepEqual([websocket[0], sse[0], longpoll[0]], ['cut', 'cut', 'cut']);
  assert.match(websocket[1], /cut it after [\d.]+ s/);
  assert.match(longpoll[1], /waits for [\d.]+ s/);
  assert.match(summary, /has to come back now and then/);
});

test('a filter that lets nothing through', async (t) => {
  const { page, summary, websocket, sse, longpoll } = await examine(t, (request) => (isSocket(request) || isPost(request) ? 'block' : undefined));
  assert.deepEqual([websocket[0], sse[0], longpoll[0]], ['blocked', 'foreign', 'foreign']);
  assert.match(longpoll[1], /Something other than mochibosh answered \(403\)/);
  assert.match(summary, /No carrier gets through/);
  await page.locator('article').first().evaluate((card) => (card.id = 'old'));
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.locator('#old').waitFor({ state: 'detached' });
  await page.locator('#summary[data-mood=bad]').waitFor();
});
