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
  'bosh.min.js': 'bosh/mover.js',
  'reload.min.js': 'reload/store.js',
  'tabs.min.js': 'tabs/tabs.js',
};

// Properties that nobody outside of the client sees, on the wire, in a browser's
// storage or in its interface: these get short names, those that are written most
// often the shortest.
export const internal = `lost wake env done over usable handled stop json wanted receive received kind holding release
  hello exchange closed link refused trouble save settle start sent plan next begin room number bannedUntil
  renewable reset opened suspected backlog rest ready batch last openedAt object answered position continues unanswered
  current choice urls weight outgoing inbox check holdFor

  pick until usedElsewhere troubled take polls fail restored setup moving worked better trusted
  suspect bans attached retryAfter spoke failAll adopt tag confirm unacknowledged prepare heard acknowledged
  pump restore subscribing ended quit guard isStray stored positions own unheld isShared resubscribe abandon arrived broke
  make makeKeeper openStore renew toPublish waiting`.trim().split(/\s+/);

// The parts have what they share with the client from it; it loads them where
// they are needed.
const parts = {
  name: 'parts',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, kind, resolveDir }) => {
      if (kind === 'dynamic-import') return { path, external: true };
      const folder = relative(client, resolveDir);
      const apart = Object.values(entries).some((entry) => dirname(entry) === folder) && folder;
      return apart && dirname(relative(client, join(resolveDir, path))) !== folder ? { path: './mochi.min.js', external: true } : undefined;
    });
  },
};

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

// One letter each, as far as they go; then two, of which one compresses well.
function shortName(i) {
  return letters[i] ?? `${letters[i - letters.length]}e`;
}

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
    mangleCache: Object.fromEntries(internal.map((name, i) => [name, shortName(i)])),
    plugins: [parts],
    write: false,
  });
  const files = {};
  for (const { path, text } of outputFiles) {
    const { code } = await minify(text, { module: true, ecma: 2022, compress: { passes: 3, unsafe_arrows: true } });
    // What is loaded on demand is a file of these, too.
    files[basename(path)] = Object.entries(entries).reduce((all, [name, entry]) => all.replaceAll(`./${entry}`, `./${name}`), `${code}\n`);
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(await build())) {
    writeFileSync(join(client, name), text);
    writeFileSync(join(client, `${name}.br`), brotliCompressSync(text));
  }
}
