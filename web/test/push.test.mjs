// Notifications in Chromium. There is no push service here: what it would bring is given
// to the browser by its debugger, which decrypts nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, startServer } from './browser.mjs';
import { eventually } from './chat.mjs';
import { startSite } from './site.mjs';

// In place of the browser's push service, which it cannot reach here.
async function subscribeWithoutService() {
  const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  let now = null;
  PushManager.prototype.getSubscription = async () => now;
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
    const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
    const keys = { p256dh: encode(await crypto.subtle.exportKey('raw', publicKey)), auth: encode(crypto.getRandomValues(new Uint8Array(16))) };
    const endpoint = 'https://fcm.googleapis.com/fcm/send/of-this-test';
    const key = Uint8Array.from(atob(applicationServerKey.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    now = { endpoint, options: { applicationServerKey: key }, toJSON: () => ({ endpoint, keys }), unsubscribe: async () => ((now = null), true) };
    return now;
  };
}

test('the bell of the demo has notifications come when the page is closed', async (t) => {
  const demo = await startServer(t);
  const page = await openPage(t, undefined, { permissions: ['notifications'] });
  await page.addInitScript(subscribeWithoutService);
  const calls = [];
  page.on('response', async (response) => {
    const request = response.request();
    if (request.url().endsWith('/push/web')) calls.push([request.method(), response.status(), request.postDataJSON()]);
  });
  await page.goto(demo.url);
  await page.getByTestId('name-input').fill('Ann');
  await page.keyboard.press('Enter');
  const bell = page.getByTestId('notify');
  await bell.click();
  await eventually(() => {
    const [, status, { topics }] = calls.find(([method]) => method === 'POST');
    assert.equal(status, 200);
    assert.ok(topics.length > 0 && topics.every((topic) => topic.startsWith('away/')), `${topics}`);
  });
  assert.equal(await bell.getAttribute('aria-pressed'), 'true');
  await bell.click();
  await eventually(() => assert.equal(calls.find(([method]) => method === 'DELETE')[1], 200));
  assert.equal(await bell.getAttribute('aria-pressed'), 'false');
});

test('the bell says so where nothing can come', async (t) => {
  const demo = await startServer(t);
  const page = await openPage(t, undefined, { permissions: ['notifications'] });
  await page.addInitScript(() => (PushManager.prototype.subscribe = () => Promise.reject(new Error('no push service'))));
  await page.goto(demo.url);
  await page.getByTestId('name-input').fill('Ann');
  await page.keyboard.press('Enter');
  await page.getByTestId('notify').click();
  await page.getByText('Notifications come only while this page is open').waitFor();
  assert.equal(await page.getByTestId('notify').getAttribute('aria-pressed'), 'true');
});

test('the service worker shows what a push service brings', async (t) => {
  const demo = await startServer(t);
  const site = await startSite(t, demo.url, { '/page': '<title>page</title>', '/worker.js': "importScripts('/mochi/pushworker.js');" });
  const page = await openPage(t, `${site.url}/page`, { permissions: ['notifications'] });
  const debug = await page.context().newCDPSession(page);
  const registrations = [];
  debug.on('ServiceWorker.workerRegistrationUpdated', (event) => registrations.push(...event.registrations));
  await debug.send('ServiceWorker.enable');
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/worker.js');
    await navigator.serviceWorker.ready;
  });
  await eventually(async () => assert.equal(registrations.length > 0, true));
  const { registrationId } = registrations.at(-1);
  const data = JSON.stringify({ title: 'Ben', body: 'Lunch?', tag: 'ben', url: '/chat/ben' });
  await debug.send('ServiceWorker.deliverPushMessage', { origin: site.url, registrationId, data });
  await eventually(async () => {
    const shown = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      return (await registration.getNotifications()).map(({ title, body, tag, data }) => [title, body, tag, data.url]);
    });
    assert.deepEqual(shown, [['Ben', 'Lunch?', 'ben', '/chat/ben']]);
  });
});
