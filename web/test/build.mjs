// Builds the client into single files of web/client: mochi.min.js, beside it what
// that loads on demand, and each of them compressed. The same sources give the same
// bytes.
//
//	node web/test/build.mjs

import { writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build as bundle } from 'esbuild';
import { minify } from 'terser';

export const client = fileURLToPath(new URL('../client/', import.meta.url));

// Each file, and the module that it begins with.
const entries = {
  'mochi.min.js': 'whole.js',
  'reload.min.js': 'reload.js',
  'bosh.min.js': 'bosh/mover.js',
  'tabs.min.js': 'tabs/tabs.js',
};

// Properties that nobody outside of the client sees, on the wire, in a browser's
// storage or in its interface: these get short names.
export const internal = `abandon acknowledged adopt again agree alone answered arrived attached attaching backlog batch begin
  better blank check choice closed confirm continues create creating demand duplex ended enqueue
  env failAll finish forget guard handled heard hello holding idle inbox jump kind last link lost make
  merge moving next number opened openedAt over pick pollWait positions pump quit ready received
  refused release renew renewable reset rest restored resubscribe retryAfter room salvage save seen
  sent settle settled setup shared sign snapshot spoke stop stray tag take times trouble troubled
  trusted unanswered unheld unsigned until uptime urls usable waiting wake wanted wants worked`.split(/\s+/);

// A letter, or a letter and a digit: no name in the interface or on the wire is like that.
function short(i) {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  return letters[i % letters.length] + (i < letters.length ? '' : Math.floor(i / letters.length));
}

// The parts have what they share with the client from it; it loads them where
// they are needed.
const parts = {
  name: 'parts',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, kind, resolveDir }) => {
      const file = relative(client, join(resolveDir, path));
      const loaded = Object.keys(entries).find((name) => entries[name] === file);
      if (kind === 'dynamic-import') return { path: `./${loaded}`, external: true };
      const folder = relative(client, resolveDir);
      const apart = Object.values(entries).some((entry) => dirname(entry) === folder) && folder;
      return apart && dirname(file) !== folder ? { path: `./${loaded ?? 'mochi.min.js'}`, external: true } : undefined;
    });
  },
};

// Gives the text of each file by its name.
export async function build() {
  const { outputFiles } = await bundle({
    absWorkingDir: client,
    entryPoints: Object.entries(entries).map(([out, path]) => ({ in: path, out: basename(out, '.js') })),
    outdir: client,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    mangleProps: new RegExp(`^(${internal.join('|')})$`),
    // The same in all files, for they share objects.
    mangleCache: Object.fromEntries(internal.map((name, i) => [name, short(i)])),
    plugins: [parts],
    write: false,
  });
  const files = {};
  for (const { path, text } of outputFiles) {
    const { code } = await minify(text, { module: true, ecma: 2022, compress: { passes: 3, unsafe_arrows: true } });
    files[basename(path)] = `${code}\n`;
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(await build())) {
    writeFileSync(join(client, name), text);
    writeFileSync(join(client, `${name}.br`), brotliCompressSync(text));
  }
}
