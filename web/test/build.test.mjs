import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { brotliDecompressSync, gzipSync } from 'node:zlib';
import { build, client, internal } from './build.mjs';

const files = await build();
const read = (name) => readFileSync(join(client, name), 'utf8');
const compressed = (name) => readFileSync(join(client, `${name}.br`));

for (const [name, text] of Object.entries(files)) {
  test(`${name} is what the sources build to`, () => {
    assert.ok(read(name) === text, 'node web/test/build.mjs writes it anew');
    assert.ok(brotliDecompressSync(compressed(name)).toString() === text, 'node web/test/build.mjs compresses it anew');
  });
}

test('a name that is shortened is nobody’s but ours', () => {
  const declared = new Set([...read('mochi.d.ts').matchAll(/(\w+)\??[:(<]/g)].map(([, name]) => name));
  // What is on the wire of push.v1 and of the bus is named in their pages.
  const wire = ['push-v1', 'bus'].flatMap((page) => [...read(`../../docs/${page}.md`).matchAll(/"(\w+)":|`(\w+)`/g)].map(([, a, b]) => a ?? b));
  assert.deepEqual(internal.filter((name) => declared.has(name) || wire.includes(name)), []);
});

test('what is built moves between carriers as the sources do', async () => {
  const env = { ...process.env, BUILT: '1', NODE_TEST_CONTEXT: undefined };
  await promisify(execFile)(process.execPath, ['--test', 'unit/switch.test.mjs'], { cwd: import.meta.dirname, env });
});

// Bytes that each file has at most: as our servers give it to browsers over https, which is Brotli, and with gzip.
const sizes = {
  'mochi.min.js': [8192, 8960],
  'reload.min.js': [1024, 1024],
  'bosh.min.js': [3072, 3072],
  'tabs.min.js': [3072, 3072],
};

for (const [name, text] of Object.entries(files)) {
  test(`${name} is small`, () => {
    const [brotli, gzip] = [compressed(name).length, gzipSync(text, { level: 9 }).length];
    assert.ok(brotli <= sizes[name][0] && gzip <= sizes[name][1], `${brotli} bytes in Brotli, ${gzip} with gzip`);
  });
}
