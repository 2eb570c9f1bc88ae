// Real XMPP servers, the gateway in front of them, and a site with clients, for the tests of a file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
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
 * Serves pages by their paths, and below /modules/ what npm installed, from an origin of their own, until the tests
 * of this file are over.
 *
 * @returns {Promise<{url: string, pages: Record<string, string>}>} pages may be added to
 */
export async function startSite() {
  const site = { pages: {} };
  const server = createServer(async ({ url }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const body = pathname.startsWith('/modules/')
      ? await readFile(new URL(`.${pathname.slice('/modules'.length)}`, modules)).catch(() => undefined)
      : site.pages[pathname];
    if (body) response.setHeader('Content-Type', types[extname(pathname)] ?? 'application/octet-stream');
    response.writeHead(body ? 200 : 404).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(site, { url: `http://127.0.0.1:${server.address().port}` });
}
