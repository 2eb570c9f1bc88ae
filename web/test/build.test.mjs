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

for (const [name, text] of Object.entries(files)) {
  test(`${name} is what the sources build to`, () => {
    assert.ok(read(name) === text, 'node web/test/build.mjs writes it anew');
    const compressed = readFileSync(join(client, `${name}.br`));
    assert.ok(brotliDecompressSync(compressed).toString() === text, 'node web/test/build.mjs compresses it anew');
  });
}

test('a name that is shortened is nobody’s but ours', () => {
  const declared = new Set([...read('mochi.d.ts').matchAll(/(\w+)\??[:(<]/g)].map(([, name]) => name));
  // What is on the wire of push.v1 and of the bus is named in their pages.
  const wire = ['push-v1', 'bus'].flatMap((page) => [...read(`../../docs/${page}.md`).matchAll(/"(\w+)":|`(\w+)`/g)].map(([, a, b]) => a ?? b));
  // What tabs say to each other, and what is stored: another page may have another build of us.
  const kept = `from to lead fresh open resumed user state carrier reason hear again bye full ask claim end say withdraw
    at session topics publishes name agreed attach ack acked out`.split(/\s+/);
  assert.deepEqual(internal.filter((name) => declared.has(name) || wire.includes(name) || kept.includes(name)), []);
  assert.equal(new Set(internal).size, internal.length);
});

test('what is built moves between carriers as the sources do', async () => {
  const env = { ...process.env, BUILT: '1', NODE_TEST_CONTEXT: undefined };
  await promisify(execFile)(process.execPath, ['--test', 'unit/switch.test.mjs'], { cwd: import.meta.dirname, env });
});

// Bytes that each file has at most, compressed as servers do it.
const sizes = { 'mochi.min.js': 8192, 'bosh.min.js': 3072, 'reload.min.js': 1024, 'tabs.min.js': 3072 };
const page = readFileSync(new URL('../../docs/client.md', import.meta.url), 'utf8');

for (const [name, text] of Object.entries(files)) {
  test(`${name} is small, and its page says how small`, () => {
    const [size, brotli] = [gzipSync(text, { level: 9 }).length, readFileSync(join(client, `${name}.br`)).length];
    assert.ok(size <= sizes[name], `${size} bytes`);
    // Compressors differ by some bytes.
    const said = page.match(`\\| \`${name}\` \\| ([\\d,]+) \\| ([\\d,]+) \\|`).slice(1).map((n) => +n.replace(',', ''));
    assert.ok(Math.abs(said[0] - size) <= 20 && Math.abs(said[1] - brotli) <= 20, `docs/client.md says ${said}, not ${size} and ${brotli}`);
  });
}
