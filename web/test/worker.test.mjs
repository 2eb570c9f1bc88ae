// The client where there is no page: in workers, and in a service worker.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, startServer } from './browser.mjs';
import { eventually } from './chat.mjs';
import { startSite } from './site.mjs';

// It listens to a room for whoever asks, and writes into it what it is given.
const worker = `import { connect } from '/mochi/mochi.min.js';
const client = connect();
const asked = new Set();
client.subscribe('room', { history: 10, message: ({ data }) => asked.forEach((port) => port.postMessage(data)) });
addEventListener('message', async ({ data, ports: [port] }) => {
  asked.add(port);
  await client.publish('room', data);
  port.postMessage(client.carrier + ' ' + client.state);
});`;

async function say(page, data) {
  await page.evaluate((data) => {
    window.told ??= [];
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => told.push(data);
    window.worker.postMessage(data, [port2]);
  }, data);
  await eventually(async () => assert.deepEqual((await page.evaluate(() => told)).toSorted(), [data, 'websocket open'].toSorted()));
}

test('in a worker', async (t) => {
  const demo = await startServer(t);
  const site = await startSite(t, demo.url, { '/page': '<title>page</title>', '/worker.js': worker });
  const page = await openPage(t, `${site.url}/page`);
  await page.evaluate(() => void (window.worker = new Worker('/worker.js', { type: 'module' })));
  await say(page, 'from a page by a worker');
});

test('in a service worker', async (t) => {
  const demo = await startServer(t);
  const site = await startSite(t, demo.url, { '/page': '<title>page</title>', '/worker.js': worker });
  const page = await openPage(t, `${site.url}/page`);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/worker.js', { type: 'module' });
    window.worker = (await navigator.serviceWorker.ready).active;
  });
  await say(page, 'from a page by a service worker');
});
