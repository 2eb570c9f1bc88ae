import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browser, openPage, startProxy, startServer } from './browser.mjs';

const goPackage = './web/test/testdata/server';

// Has the page ask its own server and return the answer's text.
function get(page, path) {
  return page.evaluate(async (path) => (await fetch(path)).text(), path);
}

test('one Chromium runs the scripts of every page', async (t) => {
  const first = await openPage(t, 'data:text/html,<title>first</title>');
  const second = await openPage(t, 'data:text/html,<script>document.title = "se" + "cond"</script>');
  assert.equal(await first.title(), 'first');
  assert.equal(await second.title(), 'second');
  assert.equal(await browser(), first.context().browser());
});

test('an exception that the page does not catch is kept', async (t) => {
  const page = await openPage(t, 'data:text/html,<script>throw new Error("lost")</script>');
  const [error] = page.uncaught.splice(0);
  assert.equal(error.message, 'lost');
});

test('a page survives the crash of its server', async (t) => {
  const server = await startServer(t, { goPackage });
  const page = await openPage(t, server.url);
  assert.equal(await page.title(), 'served');
  assert.equal(await get(page, '/count'), '1');
  assert.equal(await get(page, '/count'), '2');

  await server.kill();
  await assert.rejects(get(page, '/count'), /Failed to fetch/);
  await server.start();
  assert.equal(await get(page, '/count'), '1');

  const { port } = server;
  await server.restart();
  assert.equal(server.port, port);
  assert.equal(await get(page, '/count'), '1');
});

test('a page loses a held request when its network is cut', async (t) => {
  const server = await startServer(t, { goPackage });
  const proxy = await startProxy(t, server.url);
  const page = await openPage(t, proxy.url);
  assert.equal(await get(page, '/count'), '1');

  const sent = page.waitForRequest('**/hang');
  const held = assert.rejects(get(page, '/hang'), /Failed to fetch/);
  await sent;
  await proxy.cut();
  await held;
  await assert.rejects(get(page, '/count'), /Failed to fetch/);

  await proxy.heal();
  assert.equal(await get(page, '/count'), '2');
});
