// A proxy as some companies have it: it lets requests through and keeps the
// answers to some of them for itself, for ever, without an error. It waits for
// the end of a stream before it passes it on, say.

import { createServer, request } from 'node:http';

export class MuteProxy {
  #server;

  // How many answers it keeps.
  muted = 0;

  // Starts a proxy to an address; it keeps the answers to the requests that
  // `isMute` is true of.
  static async start(target, isMute) {
    const proxy = new MuteProxy(target, isMute);
    await new Promise((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  constructor(target, isMute) {
    const { hostname, port } = new URL(target);
    this.#server = createServer((incoming, answer) => {
      const outgoing = this.#forward({ hostname, port }, incoming);
      outgoing.on('error', () => answer.destroy());
      outgoing.on('response', (response) => {
        if (isMute(incoming)) return this.#keep(response);
        answer.writeHead(response.statusCode, response.rawHeaders);
        response.pipe(answer);
      });
      answer.on('close', () => outgoing.destroy());
      incoming.pipe(outgoing);
    });
    // Of a WebSocket it sees no more than the request.
    this.#server.on('upgrade', (incoming, socket) => {
      const outgoing = this.#forward({ hostname, port }, incoming);
      outgoing.on('error', () => socket.destroy());
      outgoing.on('upgrade', (response, upstream) => {
        this.muted++;
        upstream.on('error', () => {}).resume();
        socket.on('close', () => upstream.destroy());
      });
      socket.on('error', () => {});
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

  #forward(target, { method, url, headers }) {
    return request({ ...target, method, path: url, headers });
  }

  #keep(response) {
    this.muted++;
    response.on('error', () => {}).resume();
  }
}
