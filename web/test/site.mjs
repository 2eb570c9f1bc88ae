// Pages of a test beside the server that they speak to: files, and for all
// else a proxy to it, WebSockets too.

import { createServer, request } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css' };

export class Site {
  #server;

  // Starts a site of files, by path: the text, or a URL to read it from. What
  // goes wrong with a request is told by fault: 'block', it is forbidden;
  // 'buffer', its answer is passed on when it is whole; a number, the proxy
  // has patience for so many milliseconds.
  static async start(target, files, fault = () => undefined) {
    const site = new Site(target, files, fault);
    await new Promise((resolve) => site.#server.listen(0, '127.0.0.1', resolve));
    return site;
  }

  constructor(target, files, fault) {
    const { hostname, port } = new URL(target);
    const forward = ({ method, url, headers }) => request({ hostname, port, method, path: url, headers });
    this.#server = createServer(async (incoming, answer) => {
      const path = incoming.url.split('?')[0];
      if (path in files) {
        answer.setHeader('Content-Type', types[extname(path)] ?? 'text/html');
        answer.end(files[path] instanceof URL ? await readFile(files[path]) : files[path]);
        return;
      }
      const wrong = fault(incoming);
      if (wrong === 'block') {
        answer.writeHead(403, { 'Content-Type': 'text/html' }).end('<h1>Blocked by policy</h1>');
        return;
      }
      const cut = () => (answer.headersSent ? answer.destroy() : answer.writeHead(504).end('<h1>Gateway timeout</h1>'));
      const timer = wrong > 0 && setTimeout(cut, wrong);
      const outgoing = forward(incoming);
      outgoing.on('error', () => answer.destroy());
      outgoing.on('response', async (response) => {
        if (wrong === 'buffer') {
          const chunks = await response.toArray().catch(() => []);
          answer.writeHead(response.statusCode, { 'Content-Type': response.headers['content-type'] }).end(Buffer.concat(chunks));
          return;
        }
        answer.writeHead(response.statusCode, response.rawHeaders);
        response.pipe(answer);
      });
      answer.on('close', () => {
        clearTimeout(timer);
        outgoing.destroy();
      });
      incoming.pipe(outgoing);
    });
    this.#server.on('upgrade', (incoming, socket, head) => {
      const wrong = fault(incoming);
      if (wrong === 'block') {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      if (wrong > 0) setTimeout(() => socket.destroy(), wrong);
      const outgoing = forward(incoming);
      const end = () => [socket, outgoing].forEach((side) => side.destroy());
      socket.on('error', end).on('close', end);
      outgoing.on('error', end);
      outgoing.on('upgrade', ({ statusCode, statusMessage, rawHeaders }, upstream, rest) => {
        const pairs = rawHeaders.flatMap((name, i) => (i % 2 ? [] : [`${name}: ${rawHeaders[i + 1]}`]));
        socket.write([`HTTP/1.1 ${statusCode} ${statusMessage}`, ...pairs, '', ''].join('\r\n'));
        socket.write(rest);
        upstream.on('error', end).on('close', end);
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      outgoing.end();
    });
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

// Starts a site until the test ends.
export async function startSite(t, target, files, fault) {
  const site = await Site.start(target, files, fault);
  t.after(() => site.close());
  return site;
}
