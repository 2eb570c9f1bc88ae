import { BoshServer, DOMParser } from './boshserver.mjs';
import { Clock, dice } from './clock.mjs';
import { Server } from './server.mjs';

// The client as it was written, or as it was built.
const { BUILT } = process.env;
const load = (name) => import(`../../client/${name}.js`);
const { connect } = await load(BUILT ? 'mochi.min' : 'mochi');
// They are there at once, then, when a page asks for them.
await Promise.all((BUILT ? ['bosh.min', 'reload.min', 'tabs.min'] : ['bosh/mover', 'reload/store', 'tabs/tabs']).map(load));

const LATENCY = 10;

/** A server, a network that misbehaves as told, a clock, and browsers' pages. */
export class World {
  clock = new Clock();
  server = new Server(this.clock);
  bosh = new BoshServer(this.clock, this.server.bus);
  locks = new Locks();
  /** What all pages have stored together. */
  items = new Map();
  /** Whether anything reaches the server at all. */
  up = true;
  /** Each request: {url, body, at}. */
  requests = [];
  /**
   * What goes wrong with a request or connection {kind: 'post' | 'sse' | 'ws', url, body}: 'refuse': never arrives;
   * 'lose': arrives, the answer does not; 'twice': arrives again a second later; 'mute': opens, and stays silent;
   * a number: comes that many ms late; {status, text, headers}: a proxy answers.
   */
  fault = () => undefined;
  #open = new Set();
  #random;

  constructor(seed = 1) {
    this.#random = dice(seed);
  }

  page(options) {
    return new Page(this, options);
  }

  random = () => this.#random();

  /** Breaks all connections there are. */
  cut(owner) {
    for (const connection of [...this.#open]) if (!owner || connection.owner === owner) connection.cut();
  }

  /** Connections stay open and carry nothing any more. */
  muteAll(kind) {
    for (const connection of this.#open) if (connection.kind === kind) connection.muted = true;
  }

  later(job, ms = LATENCY) {
    return this.clock.setTimeout(job, ms);
  }

  fetch(owner, url, { body, signal, keepalive }) {
    this.requests.push({ url, body, at: this.clock.now(), keepalive });
    const fault = this.fault({ kind: 'post', url, body });
    return new Promise((resolve, reject) => {
      const connection = { kind: 'post', owner, cut: () => fail() };
      const fail = () => {
        this.#open.delete(connection);
        reject(new TypeError('network'));
      };
      const answer = (object, status = 200) => {
        this.later(() => {
          if (fault === 'lose' || connection.muted) return fault === 'lose' && fail();
          if (!this.#open.delete(connection)) return undefined;
          const text = typeof object === 'string' ? object : JSON.stringify(object);
          return resolve(reply(status, text));
        });
      };
      this.#open.add(connection);
      signal?.addEventListener('abort', fail);
      if (fault?.status) return this.later(() => resolve(reply(fault.status, fault.text, fault.headers)));
      if (fault === 'mute') return undefined;
      if (!this.up || fault === 'refuse') return this.later(fail);
      const late = typeof fault === 'number' ? fault : 0;
      this.later(() => (this.up ? this.#arrive(url, body, answer) : fail()), LATENCY + late);
      if (fault === 'twice') this.later(() => this.up && this.#arrive(url, body, () => {}), 1000);
      return undefined;
    });
  }

  #arrive(url, body, answer) {
    if (url === '/push') this.server.post(body, answer);
    else if (url === '/push/sse') this.server.ticket(body, answer);
    else if (url === '/http-bind') this.bosh.post(body, answer);
    else answer('no such page', 404);
  }

  WebSocket(owner) {
    const world = this;
    return class {
      constructor(url) {
        const fault = world.fault({ kind: 'ws', url });
        const connection = { kind: 'ws', owner, muted: fault === 'mute', cut: () => this.#broken(1006) };
        this.connection = connection;
        world.#open.add(connection);
        if (!world.up || fault === 'refuse') world.later(() => this.#broken(1006));
        else world.later(() => this.onopen?.());
      }

      send(text) {
        if (text.length > 1_000_000) throw new Error('too much');
        world.later(() => this.#arrive(JSON.parse(text)));
      }

      close() {
        this.#broken();
      }

      #answer = (object) => {
        world.later(() => {
          if (this.connection.muted || !world.#open.has(this.connection)) return;
          this.onmessage?.({ data: JSON.stringify(object) });
          if (object.error || object.end || object.replaced) this.#broken(4000);
        });
      };

      #arrive(object) {
        if (this.connection.muted || !world.#open.has(this.connection)) return;
        if (this.session) world.server.frame(this.session, object, this.#answer);
        else this.session = world.server.socket(object, this.#answer, () => this.#broken(1012));
      }

      #broken(code) {
        if (!world.#open.delete(this.connection)) return;
        world.server.broken(this.session, this.#answer);
        if (code) this.onclose?.({ code });
      }
    };
  }

  EventSource(owner) {
    const world = this;
    return class {
      constructor(url) {
        const fault = world.fault({ kind: 'sse', url });
        const connection = { kind: 'sse', owner, muted: fault === 'mute', cut: () => this.#broken(true) };
        this.connection = connection;
        world.#open.add(connection);
        if (!world.up || fault === 'refuse') world.later(() => this.#broken(true));
        else world.later(() => this.#arrive(decodeURIComponent(/ticket=(.*)/.exec(url)[1])));
      }

      close() {
        this.#broken();
      }

      #answer = (object) => {
        world.later(() => {
          if (this.connection.muted || !world.#open.has(this.connection)) return;
          this.onmessage?.({ data: JSON.stringify(object) });
          if (object.error || object.end || object.replaced) this.#broken(true);
        });
      };

      #arrive(ticket) {
        this.session = world.server.stream(ticket, this.#answer, () => this.#broken(true));
        if (!this.session) this.#broken(true);
      }

      #broken(tell) {
        if (!world.#open.delete(this.connection)) return;
        world.server.broken(this.session, this.#answer);
        if (tell) this.onerror?.({});
      }
    };
  }
}

/** A tab of a browser. */
export class Page {
  errors = [];
  states = [];
  sessions = [];
  raw = [];
  #world;
  #options;
  #listeners = new Map();
  #dead = false;
  #channels = new Set();

  constructor(world, options = {}, items = new Map()) {
    this.#world = world;
    this.#options = options;
    this.items = items;
    this.BroadcastChannel = channelsOf(world, this.#channels);
    this.client = connect({ ...this.#environment(), ...options });
    this.client.on('error', (error) => this.errors.push(error));
    this.client.on('state', (news) => this.states.push(`${news.state} ${news.carrier}`));
    this.client.on('session', (news) => this.sessions.push(news));
    this.client.on('message', (value) => this.raw.push(value));
  }

  /** Subscribes, and collects what comes. */
  listen(topic, options = {}) {
    const heard = { data: [], offsets: [], events: [] };
    heard.subscription = this.client.subscribe(topic, {
      message: ({ offset, data }) => {
        heard.data.push(data);
        heard.offsets.push(offset);
      },
      subscribed: (event) => heard.events.push({ type: 'subscribed', ...event }),
      join: (event) => heard.events.push({ type: 'join', ...event }),
      leave: (event) => heard.events.push({ type: 'leave', ...event }),
      error: (error) => heard.events.push({ type: 'error', code: error.code }),
      ...options,
    });
    return heard;
  }

  fire(event, value = {}) {
    for (const listener of this.#listeners.get(event) ?? []) listener(value);
  }

  /** The page goes; its storage stays. */
  leave() {
    this.fire('pagehide', { persisted: false });
    this.#dead = true;
    this.#world.cut(this);
    this.#world.locks.free(this);
    for (const channel of this.#channels) channel.close();
  }

  reload(options = this.#options) {
    this.leave();
    return new Page(this.#world, options, this.items);
  }

  duplicate() {
    return new Page(this.#world, this.#options, new Map(this.items));
  }

  #environment() {
    const world = this.#world;
    const add = (event, listener) => this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return {
      fetch: (url, init) => (this.#dead ? new Promise(() => {}) : world.fetch(init.keepalive ? null : this, url, init)),
      WebSocket: world.WebSocket(this),
      EventSource: world.EventSource(this),
      DOMParser,
      storage: storageOf(this.items),
      sharedStorage: storageOf(world.items),
      locks: world.locks.of(this),
      BroadcastChannel: this.BroadcastChannel,
      setTimeout: (job, ms) => world.clock.setTimeout(() => this.#dead || job(), ms),
      clearTimeout: world.clock.clearTimeout,
      now: world.clock.now,
      random: world.random,
      base: 'http://example.test/page',
      target: { addEventListener: add },
    };
  }
}

/** Web Locks, of all pages together. */
class Locks {
  #held = new Map();
  #waiting = [];

  of(page) {
    return {
      request: async (name, options, use = options) => {
        await undefined;
        if (this.#held.has(name) && options.ifAvailable) return use(null);
        await this.#turn({ name, page, signal: options.signal });
        await use({ name });
        if (this.#held.get(name) === page) this.#release(name);
        return undefined;
      },
    };
  }

  free(page) {
    this.#waiting = this.#waiting.filter((one) => one.page !== page);
    for (const [name, owner] of this.#held) if (owner === page) this.#release(name);
  }

  #turn(one) {
    if (this.#held.has(one.name)) {
      return new Promise((go, abort) => {
        this.#waiting.push({ ...one, go });
        one.signal?.addEventListener('abort', () => {
          this.#waiting = this.#waiting.filter(({ go: other }) => other !== go);
          abort(one.signal.reason);
        });
      });
    }
    this.#held.set(one.name, one.page);
    return undefined;
  }

  #release(name) {
    this.#held.delete(name);
    const next = this.#waiting.find((one) => one.name === name);
    if (!next) return;
    this.#waiting = this.#waiting.filter((one) => one !== next);
    this.#held.set(name, next.page);
    next.go();
  }
}

function storageOf(items) {
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}

const channels = new Set();

/** BroadcastChannel over the world's clock. */
function channelsOf(world, mine) {
  return class {
    constructor(name) {
      this.name = name;
      this.world = world;
      channels.add(this);
      mine.add(this);
    }

    postMessage(data) {
      for (const other of channels) {
        if (other === this || other.name !== this.name || other.world !== world) continue;
        const copy = structuredClone(data);
        world.later(() => channels.has(other) && other.onmessage?.({ data: copy }), 1);
      }
    }

    close() {
      channels.delete(this);
    }
  };
}

function reply(status, text, headers = {}) {
  return { status, ok: status < 300, headers: { get: (name) => headers[name] ?? null }, text: async () => text };
}
