// The examples, as those who copy them run them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { openPage, startServer } from './browser.mjs';
import { startSite } from './site.mjs';

const example = (path) => new URL(`../../examples/${path}`, import.meta.url);
const local = (path) => fileURLToPath(new URL(path, import.meta.url));

// Bundles a program that has the packages which its author would install.
async function bundle(path, options) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(example(path))],
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    write: false,
    nodePaths: [local('node_modules')],
    ...options,
  });
  return outputFiles[0].text;
}

async function tellNews(url, text) {
  const answer = await fetch(`${url}/api/publish`, { method: 'POST', body: JSON.stringify({ topic: 'news', data: { text } }) });
  assert.equal(answer.status, 200);
}

// A page that shows the topic "news" and writes into it.
async function wantNews(page, url) {
  await page.getByText('open', { exact: true }).waitFor();
  await page.getByText('before', { exact: true }).waitFor();
  await page.getByLabel('News').fill('from the page');
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.getByText('from the page', { exact: true }).waitFor();
  await tellNews(url, 'after');
  await page.getByText('after', { exact: true }).waitFor();
  assert.deepEqual(await page.locator('li').allInnerTexts(), ['before', 'from the page', 'after']);
}

test('plain HTML', async (t) => {
  const demo = await startServer(t);
  const site = await startSite(t, demo.url, { '/news': example('html/index.html') });
  await tellNews(demo.url, 'before');
  await wantNews(await openPage(t, `${site.url}/news`), demo.url);
});

test('React', async (t) => {
  const demo = await startServer(t);
  const define = { 'process.env.NODE_ENV': '"development"' };
  const files = { '/react/': example('react/index.html'), '/react/app.js': await bundle('react/app.jsx', { define }) };
  const site = await startSite(t, demo.url, files);
  await tellNews(demo.url, 'before');
  await wantNews(await openPage(t, `${site.url}/react/`), demo.url);
});

test('Node.js', async (t) => {
  const demo = await startServer(t);
  const folder = await mkdtemp(join(tmpdir(), 'mochibosh-'));
  t.after(() => rm(folder, { recursive: true }));
  const program = join(folder, 'main.mjs');
  await writeFile(program, await bundle('node/main.mjs', { platform: 'node' }));
  const child = spawn(process.execPath, [program, demo.url, 'news'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write('{"text":"one"}\n');
  assert.deepEqual(JSON.parse((await lines.next()).value), { offset: 1, data: { text: 'one' } });
  await tellNews(demo.url, 'two');
  assert.deepEqual(JSON.parse((await lines.next()).value), { offset: 2, data: { text: 'two' } });
  child.stdin.end();
  assert.deepEqual(await ended, [0, null]);
});
