// A TCP proxy that a test can cut and heal: the network between a browser and
// its server.

import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

export class Proxy {
  #target;
  #server = null;
  #sockets = new Set();

  // The port it listens on, also while it is cut.
  port = 0;

  // How many connections it has accepted so far.
  accepted = 0;

  // Starts a proxy to an address such as http://127.0.0.1:8080.
  static async start(target) {
    const proxy = new Proxy(target);
    await proxy.heal();
    return proxy;
  }

  constructor(target) {
    const { hostname, port } = new URL(target);
    this.#target = { host: hostname, port: Number(port) };
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // Destroys every connection and refuses new ones.
  async cut() {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  // Accepts connections again, on the same port.
  async heal() {
    if (this.#server) return;
    for (let tries = 1; ; tries++) {
      try {
        this.#server = await this.#listen();
        return;
      } catch (error) {
        // Some connection may hold our port for a moment as its own.
        if (error.code !== 'EADDRINUSE' || tries === 50) throw error;
        await delay(100);
      }
    }
  }

  async #listen() {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#relay(client));
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = server.address().port;
    return server;
  }

  #relay(client) {
    this.accepted++;
    const upstream = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    for (const [socket, peer] of [[client, upstream], [upstream, client]]) {
      this.#sockets.add(socket);
      socket.on('error', () => {}); // "close" follows.
      socket.on('close', () => {
        this.#sockets.delete(socket);
        // What the peer has yet to send on is lost only if this side broke.
        if (!socket.readableEnded) peer.destroy();
      });
      socket.pipe(peer);
    }
  }
}
