// Notifications in Chromium. There is no push service here: what it would bring is given
// to the browser by its debugger, which decrypts nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, startServer } from './browser.mjs';
import { eventually } from './chat.mjs';
import { startSite } from './site.mjs';

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
