// The example that has two XMPP servers and the event bus in one BOSH session.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, startServer } from './browser.mjs';
import { startXMPPServers } from './xmpp.mjs';

const goPackage = './examples/multiserver';

const column = (page, name) => page.locator('.column').filter({ has: page.getByRole('heading', { name }) });

async function say(page, name, text) {
  await column(page, name).getByPlaceholder('Say something…').fill(text);
  await column(page, name).getByRole('button', { name: 'Send' }).click();
}

const answered = (page, name, text) => column(page, name).locator('li.in').filter({ hasText: text });

/** The sids in the requests that the page made. */
function sidsOf(page) {
  const sids = new Set();
  page.on('request', (request) => {
    const sid = request.postData()?.match(/ sid='([^']+)'/)?.[1];
    if (sid) sids.add(sid);
  });
  return sids;
}

async function allAreOpen(page, count = 3) {
  await page.getByText(`one session, ${count} stream`).waitFor();
  for (const pill of await page.locator('.column .pill').all()) await pill.filter({ hasText: /^open$/ }).waitFor();
}

test('one session talks to Prosody, ejabberd and the bus', async (t) => {
  const servers = await startXMPPServers({ ejabberd: true });
  const [first, second] = servers.map(({ domain, address }) => `${domain}=${address}`);
  const example = await startServer(t, { goPackage, args: ['-first', first, '-second', second] });
  const page = await openPage(t, example.url);
  const sids = sidsOf(page);
  for (const { domain, users, password } of servers) {
    await column(page, domain).getByLabel('Name').fill(users[0]);
    await column(page, domain).getByLabel('Password').fill(password);
  }
  await page.getByRole('button', { name: 'Open all three' }).click();
  await allAreOpen(page);
  for (const { domain, users } of servers) {
    await say(page, domain, `to myself at ${domain}`);
    await answered(page, domain, `to myself at ${domain}`).filter({ hasText: `${users[0]}@${domain}/page` }).waitFor();
  }
  await say(page, 'event bus', 'to everybody');
  await answered(page, 'event bus', 'to everybody').waitFor();
  assert.equal(sids.size, 1, 'all of it in one session');
  for (const name of [...servers.map(({ domain }) => domain), 'event bus']) {
    assert.equal(await column(page, name).locator('li.in').count(), 1, `${name} got what was its own`);
  }
  assert.equal(await page.locator('#timeline').getAttribute('aria-label').then((text) => / of 3 streams/.test(text)), true);
});

test('one stream is closed and opened again while the others go on', async (t) => {
  const example = await startServer(t, { goPackage });
  const page = await openPage(t, example.url);
  const sids = sidsOf(page);
  await page.getByRole('button', { name: 'Open all three' }).click();
  await allAreOpen(page);
  await column(page, 'tea.localhost').getByRole('button', { name: 'Close this stream' }).click();
  await page.getByText('one session, 2 streams').waitFor();
  await say(page, 'cake.localhost', 'still there?');
  await answered(page, 'cake.localhost', 'still there?').waitFor();
  await column(page, 'tea.localhost').getByRole('button', { name: 'Open this stream' }).click();
  await page.getByText('one session, 3 streams').waitFor();
  await say(page, 'tea.localhost', 'here again');
  await answered(page, 'tea.localhost', 'here again').waitFor();
  assert.equal(sids.size, 1);
  await page.getByRole('button', { name: 'End the session' }).click();
  await page.getByText('no session').waitFor();
});

test('two pages meet on the bus, and each has its own servers', async (t) => {
  const example = await startServer(t, { goPackage });
  const pages = [await openPage(t, example.url), await openPage(t, example.url)];
  for (const page of pages) {
    await page.getByRole('button', { name: 'Open all three' }).click();
    await allAreOpen(page);
  }
  await say(pages[0], 'event bus', 'hello, other page');
  await answered(pages[1], 'event bus', 'hello, other page').waitFor();
  await say(pages[0], 'tea.localhost', 'only mine');
  await answered(pages[0], 'tea.localhost', 'only mine').waitFor();
  assert.equal(await answered(pages[1], 'tea.localhost', 'only mine').count(), 0);
});

test('at 390 pixels nothing needs scrolling sideways', async (t) => {
  const example = await startServer(t, { goPackage });
  const page = await openPage(t, example.url, { viewport: { width: 390, height: 844 } });
  await page.getByRole('button', { name: 'Open all three' }).click();
  await allAreOpen(page);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
});
