import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { startGateway, startXMPPServers } from './xmpp.mjs';

const servers = await startXMPPServers();
const gateway = await startGateway(servers, ['--console=on']);
const [{ domain, password }] = servers;

async function openConsole(t, carrier, { user = 'alice', profile } = {}) {
  const page = await openPage(t, `${gateway.url}/console/`, profile);
  await page.getByLabel('JID').fill(`${user}@${domain}/console`);
  await page.getByLabel('Password').fill(password);
  await page.getByLabel(carrier, { exact: true }).check({ force: true });
  await page.getByRole('button', { name: 'Connect' }).click();
  return page;
}

const stanzas = (page) => page.getByRole('listitem').filter({ has: page.locator('summary') });

for (const carrier of ['BOSH', 'WebSocket']) {
  test(`over ${carrier} an operator logs in, sends a stanza, and sees both ways of it`, async (t) => {
    const page = await openConsole(t, carrier);
    await page.getByText(`online over ${carrier}`).waitFor();
    assert.equal(await page.locator('#who').textContent(), `alice@${domain}/console`);
    assert.match(await page.locator('#facts').innerText(), /SCRAM-SHA-/);

    await page.getByRole('button', { name: 'Message', exact: true }).click();
    await page.getByRole('textbox', { name: 'XML' }).press('Control+Enter');
    // Without presence the server sends nothing to the bare address; to the full one it does.
    await page.getByRole('textbox', { name: 'XML' }).fill(`<message to='alice@${domain}/console'><body>astral 😀 &amp; more</body></message>`);
    await page.getByRole('button', { name: 'Send' }).click();
    const back = stanzas(page).filter({ hasText: 'received' }).filter({ hasText: 'astral 😀 & more' });
    await back.waitFor();
    await back.locator('summary').click();
    assert.match(await back.locator('pre').innerText(), /<body>astral 😀 &amp; more<\/body>/);

    await page.getByRole('button', { name: 'Disconnect' }).click();
    await page.getByRole('status').filter({ hasText: 'closed' }).waitFor();
  });
}

test('the window moves with the requests, and one of them is held', async (t) => {
  const page = await openConsole(t, 'BOSH');
  await page.getByText('online over BOSH').waitFor();
  await page.locator('#window [data-state=holding], #window [data-state=carrying]').first().waitFor();
  const rid = async () => Number((await page.locator('#window .acked').getAttribute('title')).match(/\d+/)[0]);
  const before = await rid();
  await page.getByRole('button', { name: 'Ping', exact: true }).click();
  await page.getByRole('button', { name: 'Send' }).click();
  await page.waitForFunction((then) => Number(document.querySelector('#window .acked')?.title.match(/\d+/)[0]) > then, before);
  assert.match(await page.locator('#timeline').getAttribute('aria-label'), /requests open/);
  assert.ok((await page.locator('#timeline .bar').count()) > 3);
  assert.match(await page.locator('#rtt-last').textContent(), /ms|s$/);
});

test('a request whose answer gets lost is repeated, and nothing comes twice', async (t) => {
  const page = await openConsole(t, 'BOSH');
  await page.getByText('online over BOSH').waitFor();
  await page.getByLabel('ping every 5 s').uncheck();
  let lost = 0;
  await page.route('**/http-bind', async (route) => {
    if (lost || !route.request().postData().includes('only once')) return route.continue();
    lost++;
    await route.fetch(); // it arrives, and its answer does not
    return route.abort();
  });
  await page.getByRole('textbox', { name: 'XML' }).fill(`<message to='alice@${domain}/console'><body>only once</body></message>`);
  await page.getByRole('button', { name: 'Send' }).click();
  const received = stanzas(page).filter({ hasText: 'received' });
  await received.filter({ hasText: 'only once' }).waitFor();
  await page.getByRole('button', { name: 'Ping', exact: true }).click();
  await page.getByRole('button', { name: 'Send' }).click();
  await received.filter({ hasText: `result · ${domain}` }).first().waitFor();
  assert.equal(await received.filter({ hasText: 'only once' }).count(), 1);
  assert.equal(lost, 1);
  await page.waitForFunction(() => Number(document.getElementById('repeats').textContent) >= 1);
});

test('no password is in the list of stanzas, in any form', async (t) => {
  const page = await openConsole(t, 'WebSocket');
  await page.getByText('online over').waitFor();
  const auth = stanzas(page).filter({ hasText: 'auth' }).last();
  await auth.locator('summary').click();
  assert.match(await auth.locator('pre').innerText(), /characters not shown/);
  assert.equal(await page.getByLabel('Password').inputValue(), '');
});

test('a wrong password is said to be one', async (t) => {
  const page = await openPage(t, `${gateway.url}/console/`);
  await page.getByLabel('JID').fill(`alice@${domain}`);
  await page.getByLabel('Password').fill('guess');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByRole('alert').filter({ hasText: 'not-authorized' }).waitFor();
  await page.getByRole('button', { name: 'Connect' }).waitFor();
});

test('a domain that the gateway does not serve is said to be unknown', async (t) => {
  for (const carrier of ['BOSH', 'WebSocket']) {
    const page = await openPage(t, `${gateway.url}/console/`);
    await page.getByLabel('JID').fill('alice@elsewhere.example');
    await page.getByLabel('Password').fill('guess');
    await page.getByLabel(carrier, { exact: true }).check({ force: true });
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByRole('alert').filter({ hasText: 'host-unknown' }).waitFor();
  }
});

test('what is not XML is refused before it is sent', async (t) => {
  const page = await openConsole(t, 'BOSH');
  await page.getByText('online over').waitFor();
  await page.getByRole('textbox', { name: 'XML' }).fill('<message><body>');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByRole('alert').filter({ hasText: 'not well-formed' }).waitFor();
});

test('the filter leaves what fits it', async (t) => {
  const page = await openConsole(t, 'BOSH');
  await page.getByText('online over').waitFor();
  await page.getByLabel('Filter').fill('scram');
  assert.match(await page.locator('#count').textContent(), /\d+ of \d+/);
  assert.ok((await stanzas(page).filter({ visible: true }).count()) >= 1);
  await page.getByRole('button', { name: 'received' }).click();
  assert.equal(await stanzas(page).filter({ visible: true }).filter({ hasText: 'received' }).count(), 0);
});

test('at 390 pixels nothing needs scrolling sideways', async (t) => {
  const page = await openConsole(t, 'BOSH', { profile: { viewport: { width: 390, height: 844 } } });
  await page.getByText('online over').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
});
