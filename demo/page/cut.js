/**
 * The network as the client of this page sees it: a fetch, a WebSocket and an EventSource that can be cut off, all
 * three at once, and restored. What is cut is dead for good, as after a pulled cable: it says nothing any more and
 * what still comes in is thrown away.
 *
 * It also sees everything that the client does, and tells it to `watch(kind, text)`.
 */
export class Network {
  #watch;
  #world;
  #line = new AbortController();

  constructor({ watch = () => {}, world = globalThis } = {}) {
    this.#watch = watch;
    this.#world = world;
    this.WebSocket = cuttableSocket(this, world);
    this.EventSource = cuttableSource(this, world);
    this.fetch = (...args) => this.#fetch(...args);
  }

  /** The cable, so to say: aborted when it is cut. Each restoration lays a new one. */
  get line() {
    return this.#line.signal;
  }

  get down() {
    return this.line.aborted;
  }

  cut() {
    this.#line.abort(new TypeError('Failed to fetch'));
  }

  restore() {
    this.#line = new AbortController();
  }

  tell(kind, text) {
    this.#watch(kind, text);
  }

  async #fetch(input, init = {}) {
    const started = performance.now();
    const what = `${init.method ?? 'GET'} ${new URL(input, this.#world.location?.href).pathname}`;
    const tell = (result) => this.tell('request', `${what} ${result} · ${duration(performance.now() - started)}`);
    const signal = init.signal ? AbortSignal.any([init.signal, this.line]) : this.line;
    try {
      const answer = await this.#world.fetch(input, { ...init, signal });
      tell(answer.status);
      return answer;
    } catch (error) {
      // What the client takes back itself is no news.
      if (!init.signal?.aborted) tell('failed');
      throw error;
    }
  }
}

const duration = (ms) => (ms < 1000 ? `${Math.round(ms)}\u00a0ms` : `${(ms / 1000).toFixed(1)}\u00a0s`);

function cuttableSocket(network, world) {
  return class extends world.WebSocket {
    #dead = false;

    constructor(url, protocols) {
      if (network.down) return new Stillborn(url, 'close');
      super(url, protocols);
      const { line } = network;
      const cut = () => {
        this.#dead = true;
        super.close();
        fail(this, 'close');
      };
      line.addEventListener('abort', cut);
      silence(this, ['open', 'message', 'error', 'close'], () => this.#dead);
      this.addEventListener('open', () => network.tell('socket', 'WebSocket open'));
      this.addEventListener('close', ({ code }) => {
        line.removeEventListener('abort', cut);
        network.tell('socket', `WebSocket closed · ${code}`);
      });
    }

    get readyState() {
      return this.#dead ? world.WebSocket.CLOSED : super.readyState;
    }

    send(data) {
      if (!this.#dead) super.send(data);
    }
  };
}

function cuttableSource(network, world) {
  return class extends world.EventSource {
    #dead = false;
    #retire;

    constructor(url, init) {
      if (network.down) return new Stillborn(url, 'error');
      super(url, init);
      const { line } = network;
      const cut = () => {
        this.#dead = true;
        this.close();
        network.tell('socket', 'event stream broke');
        fail(this, 'error');
      };
      line.addEventListener('abort', cut);
      this.#retire = () => line.removeEventListener('abort', cut);
      silence(this, ['open', 'message', 'error'], () => this.#dead);
      this.addEventListener('open', () => network.tell('socket', 'event stream open'));
    }

    close() {
      this.#retire();
      super.close();
    }
  };
}

/** Listens first, and lets nobody hear what the browser still has to say about a dead connection. */
function silence(target, types, dead) {
  const stop = (event) => event.isTrusted && dead() && event.stopImmediatePropagation();
  for (const type of types) target.addEventListener(type, stop);
}

function fail(target, last) {
  target.dispatchEvent(new Event('error'));
  if (last === 'close') target.dispatchEvent(new CloseEvent('close', { code: 1006 }));
}

/** A connection tried while the network is cut: it fails, a moment later. */
class Stillborn extends EventTarget {
  readyState = 0;
  #timer;

  constructor(url, last) {
    super();
    this.url = String(url);
    for (const type of ['error', 'close']) this.addEventListener(type, (event) => this[`on${type}`]?.(event));
    this.#timer = setTimeout(() => {
      this.readyState = last === 'close' ? 3 : 2;
      fail(this, last);
    }, 50);
  }

  send() {}

  close() {
    clearTimeout(this.#timer);
    this.readyState = 3;
  }
}
