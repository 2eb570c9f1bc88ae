// XMPP clients that others wrote, in Chromium, through the gateway to Prosody.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { converse, echobot } from './pages.mjs';
import { serveBeside, startGateway, startXMPPServers } from './xmpp.mjs';

const servers = await startXMPPServers();
const gateway = await startGateway(servers, ['--console=on']);
const [{ domain, password }] = servers;
const services = { BOSH: `${gateway.url}/http-bind`, WebSocket: `${gateway.url.replace('http', 'ws')}/xmpp-websocket` };

/** A page with a client of others, at the address of the gateway itself. */
async function openBeside(t, markup) {
  const page = await openPage(t);
  await serveBeside(page, gateway.url, { '/client.html': markup });
  await page.goto(`${gateway.url}/client.html`);
  return page;
}

/** Our own console as the other one to talk to. */
async function openConsole(t, user) {
  const page = await openPage(t, `${gateway.url}/console/`);
  await page.getByLabel('JID').fill(`${user}@${domain}/console`);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByText('online over BOSH').waitFor();
  await send(page, '<presence/>');
  return page;
}

async function send(page, xml) {
  await page.getByRole('textbox', { name: 'XML' }).fill(xml);
  await page.getByRole('button', { name: 'Send' }).click();
}

const received = (page, text) => page.locator('.stanza.in').filter({ hasText: text });

for (const [carrier, service] of Object.entries(services)) {
  test(`the echo bot of Strophe echoes over ${carrier}`, async (t) => {
    const bot = await openBeside(t, echobot(service));
    await bot.getByLabel('JID').fill(`bob@${domain}`);
    await bot.getByLabel('Password').fill(password);
    await bot.getByRole('button', { name: 'connect' }).click();
    await bot.getByRole('listitem').filter({ hasText: /^connected$/ }).waitFor();

    const human = await openConsole(t, 'alice');
    await send(human, `<message type='chat' to='bob@${domain}'><body>echo, ünïcödé 😀</body></message>`);
    await received(human, 'echo, ünïcödé 😀').waitFor();

    await bot.getByRole('button', { name: 'disconnect' }).click();
    await bot.getByRole('listitem').filter({ hasText: /^disconnected$/ }).waitFor();
  });

  test(`Converse.js logs in, gets its roster, chats and logs out over ${carrier}`, async (t) => {
    const address = carrier === 'BOSH' ? { bosh_service_url: service } : { websocket_url: service };
    const page = await openBeside(t, converse({ jid: `bob@${domain}`, password, ...address }));
    await page.waitForFunction(() => document.title === 'connected' && window.rosterFetched);

    const human = await openConsole(t, 'alice');
    await page.evaluate(async (jid) => {
      await (await window.api.chats.open(jid, {}, true)).sendMessage({ body: 'hello from Converse' });
    }, `alice@${domain}`);
    await received(human, 'hello from Converse').waitFor();
    await send(human, `<message type='chat' id='m1' to='bob@${domain}'><body>hello from the console 😀</body></message>`);
    await page.locator('.chat-msg__text').filter({ hasText: 'hello from the console 😀' }).first().waitFor();

    await page.evaluate(() => window.api.user.logout());
    await page.waitForFunction(() => document.title === 'disconnected');
  });
}

test('Converse.js over BOSH gets over a connection that was cut', async (t) => {
  const page = await openBeside(t, converse({ jid: `bob@${domain}`, password, bosh_service_url: services.BOSH }));
  await page.waitForFunction(() => document.title === 'connected' && window.rosterFetched);
  const human = await openConsole(t, 'alice');
  let cut = false;
  await page.route('**/http-bind', async (route) => {
    if (cut || !route.request().postData().includes('before the cut')) return route.continue();
    cut = true;
    await route.fetch(); // it arrives, and its answer does not
    return route.abort();
  });
  await page.evaluate(async (jid) => {
    await (await window.api.chats.open(jid, {}, true)).sendMessage({ body: 'before the cut' });
  }, `alice@${domain}`);
  await received(human, 'before the cut').waitFor();
  await page.evaluate(async (jid) => {
    await (await window.api.chats.get(jid)).sendMessage({ body: 'after the cut' });
  }, `alice@${domain}`);
  await received(human, 'after the cut').waitFor();
  assert.equal(await received(human, 'before the cut').count(), 1, 'it came once');
  assert.equal(await page.title(), 'connected', 'in the same session');
});
