// What the documents show of pages, run in one: README.md, docs/client.md, docs/quickstart.md,
// docs/webpush.md and CONTRIBUTING.md.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openPage, startServer } from './browser.mjs';
import { build } from './server.mjs';

const goPackage = './cmd/mochibosh';
const root = new URL('../../', import.meta.url);

function blocks(file, kind) {
  const text = readFileSync(new URL(file, root), 'utf8');
  return [...text.matchAll(new RegExp(`^( *)\`\`\`${kind}\\n([^]*?)^ *\`\`\``, 'gm'))].map(([, indent, code]) => code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
}

function folderOf(t) {
  const folder = mkdtempSync(join(tmpdir(), 'mochibosh-docs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const dev = (t, ...args) => startServer(t, { goPackage, command: ['serve'], args: ['--dev', ...args] });

/** Runs code in the page as its script would, after what stands around it in a real page. */
async function run(page, code, around = '') {
  // The page's policy allows no code but that of the server, which an import is.
  const body = code.replaceAll(/^import (.*) from ('.*');/gm, 'const $1 = await import($2);').replaceAll(/^(const|let) (push|client) =/gm, 'globalThis.$2 =');
  await page.evaluate(`(async () => {\n${around}\n${body}\n})()`);
}

test('README.md', async (t) => {
  const server = await dev(t);
  const page = await openPage(t, `${server.url}/push/doctor/`);
  const heard = page.waitForEvent('console', { predicate: async (line) => (await line.args()[0]?.jsonValue())?.hello === 'world' });
  for (const code of blocks('README.md', 'js')) await run(page, code);
  await heard;
  assert.equal(await page.evaluate('client.carrier'), 'longpoll');
});

test('docs/client.md', async (t) => {
  const secret = join(folderOf(t), 'secret');
  writeFileSync(secret, 'a secret of more than 32 bytes, for this test');
  const all = 'anybody subscribe publish history presence on *';
  const server = await startServer(t, { goPackage, command: ['serve'], args: ['--push=on', '--token-key', secret, '--allow', all] });
  const { stdout } = await promisify(execFile)(await build(goPackage), ['token', 'ann', '--token-key', secret]);
  const page = await openPage(t, `${server.url}/push/doctor/`);
  await page.route('**/token', (route) => route.fulfill({ body: stdout.trim() }));
  const around = "const { connect } = await import('/mochi/mochi.min.js'); const { Push } = await import('/mochi/push.js'); const token = 'of Ann'; const button = document.createElement('button');";
  const lines = [];
  page.on('console', (line) => lines.push(line.text()));
  for (const code of blocks('docs/client.md', 'html').map((html) => html.match(/<script[^>]*>([^]*)<\/script>/)[1].replaceAll(/^ {2}/gm, ''))) await run(page, code);
  const [inShort, ...others] = blocks('docs/client.md', 'js');
  await run(page, inShort, around);
  assert.ok(lines.some((line) => line.startsWith('open ')), `${lines}`);
  for (const code of others) await run(page, code, around);
  assert.ok(others.length >= 2);
});

test('docs/quickstart.md', async (t) => {
  const [html] = blocks('docs/quickstart.md', 'html');
  const site = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(site.html));
  await new Promise((listening) => site.listen(0, '127.0.0.1', listening));
  t.after(() => site.close());
  const origin = `http://localhost:${site.address().port}`;
  const server = await dev(t, `--allow-origin=${origin}`);
  site.html = html.replaceAll('http://127.0.0.1:8888', server.url);
  const publish = (text) => fetch(`${server.url}/api/publish`, { method: 'POST', body: JSON.stringify({ topic: 'news', data: { text } }) });
  await publish('Tea at five');
  const page = await openPage(t, origin);
  await page.getByText('Tea at five').waitFor();
  await page.context().setOffline(true);
  await publish('Cake, too');
  await page.context().setOffline(false);
  await page.getByText('Cake, too').waitFor();
  assert.deepEqual(await page.locator('#news li').allInnerTexts(), ['Tea at five', 'Cake, too']);
});

test('docs/webpush.md', async (t) => {
  const key = join(folderOf(t), 'vapid.pem');
  await promisify(execFile)(await build(goPackage), ['vapid', key]);
  const server = await dev(t, '--web-push-key', key, '--web-push-subject=mailto:ops@chat.example');
  const page = await openPage(t, `${server.url}/push/doctor/`);
  const [worker, switches] = blocks('docs/webpush.md', 'js');
  await page.route('**/worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body: worker }));
  await run(page, switches, "const token = 'of Ann'; globalThis.button = document.createElement('button');");
  assert.equal(await page.evaluate('typeof button.onclick + push.supported'), 'functiontrue');
  // The worker's code is good: it is run here, beside what a worker has.
  const loaded = [];
  new Function('importScripts', worker)((url) => loaded.push(url));
  assert.deepEqual(loaded, ['/mochi/pushworker.js']);
  assert.equal((await fetch(`${server.url}${loaded[0]}`)).status, 200);
});

test('CONTRIBUTING.md', async (t) => {
  const [code] = blocks('CONTRIBUTING.md', 'js');
  const file = new URL(`web/test/docs-contributing-${process.pid}.mjs`, root);
  writeFileSync(file, code);
  t.after(() => rmSync(file));
  await promisify(execFile)(process.execPath, ['--test', file.pathname], { env: { ...process.env, NODE_TEST_CONTEXT: undefined } });
});
