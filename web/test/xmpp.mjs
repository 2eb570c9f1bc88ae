// Real XMPP servers, and the gateway in front of them, for the tests of a file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { after } from 'node:test';
import { build, Server } from './server.mjs';

const modules = new URL('./node_modules/', import.meta.url);
const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.wasm': 'application/wasm' };

/**
 * Starts Prosody, and ejabberd if wanted, until the tests of this file are over.
 *
 * @returns {Promise<{domain: string, address: string, users: string[], password: string}[]>}
 */
export async function startXMPPServers({ ejabberd = false } = {}) {
  const program = await build('./web/test/testdata/xmppservers');
  const child = spawn(program, ejabberd ? ['-ejabberd'] : [], { stdio: ['pipe', 'pipe', 'inherit'] });
  after(async () => {
    const exited = once(child, 'exit');
    child.stdin.end();
    await exited;
  });
  const servers = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') return servers;
    servers.push(JSON.parse(line));
  }
  throw new Error('the XMPP servers did not start');
}

/** Starts the gateway in front of these servers, until the tests of this file are over. */
export async function startGateway(servers, args = []) {
  const routes = servers.map(({ domain, address }) => `--xmpp=${domain}=${address}?tls=off`);
  const gateway = await Server.start({ goPackage: './cmd/mochibosh', command: ['serve'], args: [...routes, ...args] });
  after(() => gateway.kill());
  return gateway;
}

/**
 * Has a page find more files at its server than there are: pages by their paths, and below /modules/ what npm
 * installed.
 */
export async function serveBeside(page, origin, pages) {
  // Nothing is asked of the rest of the world.
  await page.route((url) => url.origin !== origin && url.protocol.startsWith('http'), (route) => route.abort());
  await page.route(`${origin}/modules/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    const file = new URL(`.${pathname.slice('/modules'.length)}`, modules);
    const body = await readFile(fileURLToPath(file)).catch(() => undefined);
    if (!body) return route.fulfill({ status: 404 });
    return route.fulfill({ body, contentType: types[extname(pathname)] ?? 'application/octet-stream' });
  });
  for (const [path, body] of Object.entries(pages)) {
    await page.route(origin + path, (route) => route.fulfill({ body, contentType: types[extname(path)] }));
  }
}
