// What a browser test stands on: one headless Chromium for each test file, a
// page for each test, the demo server, and a network that can be cut.
//
//	test('a message reaches the page', async (t) => {
//		const demo = await startServer(t);
//		const proxy = await startProxy(t, demo.url);
//		const page = await openPage(t, proxy.url);
//		await page.getByText('connected').waitFor();
//	});
//
// All of it ends with the test that started it.

import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';

export { Proxy, Server };

// Chromium runs without its sandbox, which needs rights that root in a
// container lacks (it opens only what the tests serve), and without its own
// traffic. Playwright gives each start a new, empty user-data-dir.
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let launched = null;

// The Chromium of this test file, started by the first who asks.
export function browser() {
  launched ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: flags,
  });
  return launched;
}

after(async () => {
  await (await launched)?.close();
});

// Opens a page of its own profile, which Playwright's options of newContext
// describe. Exceptions that nothing in the page, or in those that it opens,
// caught fail the test; so they do not go unseen, tests that want some must
// read them off page.uncaught and empty it.
export async function openPage(t, url = 'about:blank', profile = {}) {
  const context = await (await browser()).newContext(profile);
  const page = await context.newPage();
  page.uncaught = [];
  context.on('weberror', (webError) => page.uncaught.push(webError.error()));
  t.after(async () => {
    await context.close();
    if (page.uncaught.length > 0) throw new AggregateError(page.uncaught, 'uncaught in the page');
  });
  await page.goto(url);
  return page;
}

// Starts the demo, or the server of another package, until the test ends.
export async function startServer(t, options) {
  const server = await Server.start(options);
  t.after(() => server.kill());
  return server;
}

// Puts a proxy before a server until the test ends.
export async function startProxy(t, target) {
  const proxy = await Proxy.start(target);
  t.after(() => proxy.cut());
  return proxy;
}
