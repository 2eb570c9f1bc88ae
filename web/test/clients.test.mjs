// XMPP clients that others wrote, in Chromium, on a page of another origin, through the gateway to Prosody.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { converse, echobot } from './pages.mjs';
import { startGateway, startSite, startXMPPServers } from './xmpp.mjs';

const servers = await startXMPPServers();
const site = await startSite();
const gateway = await startGateway(servers, ['--console=on', `--allow-origin=${site.url}`]);
const [{ domain, password }] = servers;
const services = { BOSH: `${gateway.url}/http-bind`, WebSocket: `${gateway.url.replace('http', 'ws')}/xmpp-websocket` };

async function openClient(t, markup) {
  site.pages['/client.html'] = markup;
  const page = await openPage(t);
  // Nothing is asked of the rest of the world.
  await page.route((url) => url.hostname !== '127.0.0.1', (route) => route.abort());
  await page.goto(`${site.url}/client.html`);
  return page;
}

/** Converse.js as bob, until he has logged in and has his roster. */
async function openConverse(t, service) {
  const address = service.startsWith('ws') ? { websocket_url: service } : { bosh_service_url: service };
  const page = await openClient(t, converse({ jid: `bob@${domain}`, password, ...address }));
  await page.waitForFunction(() => document.title === 'connected');
  await page.locator('converse-roster').getByText(`alice@${domain}`).first().waitFor();
  return page;
}

/** Has bob's Converse.js show its chat with alice, who then writes to him. */
async function openChat(page, human, text) {
  await received(human, `available · bob@${domain}/`).first().waitFor(); // she sees him
  await page.evaluate((jid) => void window.api.chats.open(jid, {}, true), `alice@${domain}`);
  await page.locator('textarea.chat-textarea').waitFor();
  await send(human, `<message type='chat' id='m1' to='bob@${domain}'><body>${text}</body></message>`);
  await page.locator('.chat-msg__text').filter({ hasText: text }).first().waitFor();
}

/** Makes alice and bob contacts of each other, as people do who then meet in other clients. */
async function befriend(t) {
  const pages = { alice: await openConsole(t, 'alice'), bob: await openConsole(t, 'bob') };
  const tell = (type, from, to) => send(pages[from], `<presence type='${type}' to='${to}@${domain}'/>`);
  const hears = (who, what, from) => received(pages[who], `${what} · ${from}@${domain}`).first().waitFor();
  for (const [one, other] of [['alice', 'bob'], ['bob', 'alice']]) {
    await tell('subscribe', one, other);
    await hears(other, 'subscribe', one);
    await tell('subscribed', other, one);
    await hears(one, 'available', other);
  }
}

async function write(page, text) {
  await page.locator('textarea.chat-textarea').fill(text);
  await page.locator('textarea.chat-textarea').press('Enter');
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

/** What the original of the echo bot asks for, from where Debian puts it. Its BOSH is at the page's own origin. */
const echobotFiles = {
  '/examples/echobot.html': '/usr/share/doc/libjs-strophe/examples/echobot.html',
  '/examples/echobot.js': '/usr/share/doc/libjs-strophe/examples/echobot.js',
  '/strophe.js': '/usr/share/javascript/strophe/strophe.js',
  '/ajax/libs/jquery/1.2.6/jquery.min.js': '/usr/share/javascript/jquery/jquery.min.js',
};

test('the echo bot of Strophe’s own examples echoes', async (t) => {
  const bot = await openPage(t);
  await bot.route('**/*', (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === '/xmpp-httpbind') return route.continue({ url: services.BOSH });
    return echobotFiles[pathname] ? route.fulfill({ path: echobotFiles[pathname] }) : route.abort();
  });
  await bot.goto(`${gateway.url}/examples/echobot.html`);
  await bot.locator('#jid').fill(`bob@${domain}`);
  await bot.locator('#pass').fill(password);
  await bot.locator('#connect').click();
  await bot.getByText('ECHOBOT: Send a message to').waitFor();

  const human = await openConsole(t, 'alice');
  await send(human, `<message type='chat' to='bob@${domain}'><body>echo, ünïcödé 😀</body></message>`);
  await received(human, 'echo, ünïcödé 😀').waitFor();

  await bot.locator('#connect').click();
  await bot.getByText('Strophe is disconnected.').waitFor();
});

test('alice and bob become contacts, each in a console', befriend);

for (const [carrier, service] of Object.entries(services)) {
  test(`an echo bot made with Strophe echoes over ${carrier}`, async (t) => {
    const bot = await openClient(t, echobot(service));
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
    const page = await openConverse(t, service);
    const human = await openConsole(t, 'alice');
    await openChat(page, human, 'hello from the console 😀');
    await write(page, 'hello from Converse');
    await received(human, 'hello from Converse').waitFor();

    await page.evaluate(() => void window.api.user.logout());
    await page.waitForFunction(() => document.title === 'disconnected');
    await page.close();
    // Taking its face down, Converse.js misses its own plug-ins.
    page.uncaught = page.uncaught.filter(({ message }) => !message.includes('isType'));
  });
}

test('Converse.js over BOSH gets over an answer that was lost', async (t) => {
  const page = await openConverse(t, services.BOSH);
  const human = await openConsole(t, 'alice');
  await openChat(page, human, 'go on');
  let lost = false;
  await page.route('**/http-bind', async (route) => {
    if (lost || !route.request().postData()?.includes('before the cut')) return route.continue();
    lost = true;
    await route.fetch(); // it arrives, and its answer does not
    return route.abort();
  });
  await write(page, 'before the cut');
  await received(human, 'before the cut').waitFor();
  await write(page, 'after the cut');
  await received(human, 'after the cut').waitFor();
  assert.ok(lost);
  assert.equal(await received(human, 'before the cut').count(), 1, 'it came once');
  assert.equal(await page.title(), 'connected', 'in the same session');
});
