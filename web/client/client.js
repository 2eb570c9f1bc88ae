import { Choice } from './choice.js';
import { environment, watch } from './env.js';
import { MochiError } from './error.js';
import { byteLength } from './lines.js';
import { Keeper } from './keeper.js';
import { Requests, demandRoom } from './requests.js';
import { Store } from './store.js';
import { Token } from './token.js';
import { Topic } from './topic.js';

const URLS = { longpoll: '/push', sse: '/push/sse', websocket: '/push/ws', bosh: '/http-bind' };
const TOPICAL = ['subscribed', 'message', 'join', 'leave', 'dropped', 'hidden', 'unsubscribed'];
/** What the server says of our token. */
const SIGN_IN = ['expiring', 'expired', 'refreshed'];
const REPLIES = ['published', 'unsubscribed', 'presence', 'error'];
/** Milliseconds after which a page that was reloaded has subscribed to what it wants. */
const SETTLED = 10_000;
/**
 * What may wait at most: so many messages, of so many bytes together, for so many milliseconds. The bus knows an id
 * again for five minutes, so what is repeated later than that may come twice.
 */
const QUEUE = { messages: 1000, bytes: 1_048_576, age: 240_000 };
/** In place of a keeper of sessions, until it is there. */
const NOBODY = { ready: false, leading: false, save() {}, wake() {}, leave() {}, close() {} };
/** Positions that are kept of topics of an earlier page. */
const MAX_STORED = 200;

/** Connects at once, and sees to it for ever that it stays so, until `close`. */
export function connect(options = {}) {
  return new Client(options);
}

/** What the page deals with: topics and messages. It outlives sessions, and moves between them. */
class Client {
  state = 'connecting';
  carrier = '';
  #env;
  #queue;
  #token;
  /** Something was refused because the token is too old: it is asked again with the next one. */
  #tooOld = false;
  #supports;
  #keeper;
  #requests;
  #topics = new Map();
  /** Positions from before a reload, of topics that the page did not subscribe to again yet. */
  #stored = {};
  #strays = new Set();
  #listeners = new Map();
  /** JSON of messages that wait: for any session, or for a move to end. */
  #raw = [];
  #held = [];
  /** What is to be told about a new session, and the topics that have to answer before. */
  #news;
  #awaited = new Set();
  #startedAt;
  #joining;
  #restoredAt;
  #ignoreWorld;

  constructor({ carrier = 'auto', to = '', resume = false, url: base = '', queue, token, tabs, ...world }) {
    const env = (this.#env = environment(world));
    const urls = Object.fromEntries(Object.entries(URLS).map(([name, url]) => [name, world[name] ?? base + url]));
    const choice = new Choice(env, urls, carrier === 'bosh' ? 'auto' : carrier);
    this.#supports = (name) => (name === 'bosh' ? !!(urls.bosh && env.DOMParser) : choice.has(name));
    this.#demand(carrier);
    this.#startedAt = env.now();
    this.#queue = { ...QUEUE, ...queue };
    this.#token = token && new Token(token);
    this.#requests = new Requests(env, this.#queue, (json) => this.#withdraw(json));
    const setup = { env, urls, to, token: this.#token, choice };
    const store = resume ? new Store(env, resume) : undefined;
    this.#keeper = new Keeper(setup, store, this.#callbacks());
    this.#ignoreWorld = watch(env, { wake: () => this.#keeper.wake(), leave: () => this.#keeper.leave() });
    const options = { setup, store, name: tabs, id: this.#requests.tag, age: this.#queue.age };
    if (tabs && env.BroadcastChannel) this.#joining = this.#join(options, carrier === 'bosh');
    else this.#keeper.begin(carrier === 'bosh');
  }

  /** Whether the connection is this tab's. */
  get leading() {
    return this.#keeper.leading ?? true;
  }

  /** Who we are to the server. */
  get user() {
    return this.#keeper.session?.user;
  }

  /** @returns {() => void} takes the listener off */
  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Subscribing again to a topic replaces the subscription. */
  subscribe(name, options = {}) {
    const topic = new Topic(this, name, options);
    this.answered(this.#topics.get(name), true);
    this.#topics.set(name, topic);
    if (this.#keeper.ready) this.#subscribe(topic);
    const ours = () => this.#topics.get(name) === topic;
    return {
      topic: name,
      setPresence: (info) => {
        topic.options = { ...topic.options, presence: info };
        if (ours() && this.#keeper.ready) this.#subscribe(topic);
      },
      unsubscribe: () => ours() && this.#unsubscribe(name),
    };
  }

  /** Settles when the message is in its topic, or was refused, or the client is closed. */
  async publish(topic, data = null, { id, receipts } = {}) {
    const ref = this.#requests.ref();
    const { offset, duplicate = false } = await this.#ask({ op: 'publish', topic, data, id: id ?? ref, receipts, ref });
    return { offset, duplicate };
  }

  /** Who is in a topic. */
  async presence(topic) {
    const { members } = await this.#ask({ op: 'presence', topic, ref: this.#requests.ref() });
    return members;
  }

  /** A message for a backend that is not the bus. It belongs to the session, and may be lost with it. */
  send(value) {
    this.#demandOpen();
    if (this.shared) throw new MochiError('unsupported', 'tabs share the session');
    const json = JSON.stringify(value);
    const { count = 0, bytes = 0 } = this.#keeper.session?.backlog ?? {};
    const waiting = { count: count + this.#raw.length, bytes: bytes + this.#raw.join('').length };
    demandRoom(this.#queue, waiting, byteLength(json));
    if (this.#keeper.ready) this.#keeper.session.send(json);
    else this.#raw.push(json);
  }

  /** Switches to a carrier while all goes on. If that fails, it goes on as before. */
  async use(carrier) {
    this.#demand(carrier);
    this.#demandOpen();
    if (this.#joining) await this.#joining;
    return this.#keeper.use(carrier);
  }

  /** Ends the session. What was published and not confirmed may or may not get there. */
  close() {
    this.#end(new MochiError('closed'));
  }

  // ---- for the topics

  /** Runs code of the page. Gives a promise, which does not reject, if that is what the code gave. */
  guard(run) {
    try {
      const result = run();
      if (typeof result?.then === 'function') return Promise.resolve(result).catch((error) => this.#emit('error', error));
    } catch (error) {
      this.#emit('error', error);
    }
    return undefined;
  }

  /** The server answered a subscription. */
  answered(topic, recovered) {
    if (!this.#awaited.delete(topic)) return;
    this.#news.recovered &&= recovered;
    this.#announce();
  }

  /** Whether other tabs speak through the same session. */
  get shared() {
    return !!this.#joining;
  }

  resubscribe(name) {
    const topic = this.#topics.get(name);
    if (topic && this.#keeper.ready) this.#subscribe(topic);
  }

  // ---- beginning and end

  /** The tabs share one connection; what does that is loaded now. Without it we go alone. */
  async #join(options, bosh) {
    const single = this.#keeper;
    const alone = () => {
      this.#joining = undefined;
      if (this.state === 'closed') return;
      this.#keeper = single;
      single.begin(bosh);
    };
    this.#keeper = NOBODY;
    try {
      const { Tabs } = await import('./tabs/tabs.js');
      if (this.state === 'closed') return;
      this.#keeper = new Tabs(options, { ...this.#callbacks(), alone, again: (name) => this.resubscribe(name) });
      this.#keeper.begin(bosh);
    } catch (error) {
      this.#emit('error', error);
      alone();
    }
  }

  #callbacks() {
    return {
      restored: (saved) => this.#restore(saved),
      opened: (resumed) => this.#opened(resumed),
      state: (state, carrier, error) => this.#setState(state, carrier, error),
      message: (value, current) => this.#message(value, current),
      positions: () => this.#positions(),
      publishes: () => this.#requests.publishes,
      refused: (json) => this.#refused(json, new MochiError('too-big')),
      trouble: (error) => this.#emit('error', error),
      lost: (unsent) => this.#salvage(unsent),
      unheld: () => this.#flush(),
      ended: (error) => this.#end(error),
    };
  }

  #end(error) {
    if (this.state === 'closed') return;
    this.#keeper.close();
    this.#ignoreWorld();
    this.#setState('closed', this.carrier, error);
    this.#requests.failAll(error);
  }

  // ---- sessions

  /** What the page had before its reload. */
  #restore({ at, topics = {}, publishes = [] }) {
    this.#restoredAt = at;
    this.#stored = topics;
    this.#requests.adopt(publishes, at);
  }

  /** A session is there: everything that is wanted is asked of it. */
  #opened(resumed) {
    this.#held = [];
    this.#news = { resumed, recovered: this.#news?.recovered ?? true, unconfirmed: this.#news?.unconfirmed ?? [] };
    this.#awaited = new Set();
    this.#askAll();
    for (const json of this.#raw.splice(0)) this.#transmit(json, (error) => this.#emit('error', error));
    this.#announce();
  }

  #askAll() {
    for (const topic of this.#topics.values()) this.#subscribe(topic);
    for (const [ref, json] of this.#requests.unanswered) this.#transmit(json, (error) => this.#requests.fail(ref, error));
  }

  /** Tells of the new session once it is known whether anything was lost with the old one. */
  #announce() {
    if (!this.#news || this.#awaited.size) return;
    const { resumed, recovered, unconfirmed } = this.#news;
    this.#news = undefined;
    this.#emit('session', { resumed, recovered: recovered && !unconfirmed.length, unconfirmed });
  }

  /** The session is lost, and these messages with it, for all we know. */
  #salvage(unsent) {
    const values = unsent.map((json) => JSON.parse(json));
    const ours = (value) => typeof value?.op === 'string' && typeof value.ref === 'string';
    // Those that nobody here waits for are from before a reload.
    this.#requests.adopt(values.filter((value) => ours(value) && value.op === 'publish'), this.#restoredAt);
    const unconfirmed = values.filter((value) => value !== null && !ours(value));
    this.#news = { recovered: this.#news?.recovered ?? true, unconfirmed: [...(this.#news?.unconfirmed ?? []), ...unconfirmed] };
    this.#awaited.clear();
  }

  #positions() {
    const positions = Object.fromEntries(Object.entries(this.#stored).slice(-MAX_STORED));
    for (const { name, position } of this.#topics.values()) positions[name] = position;
    return positions;
  }

  #setState(state, carrier, error) {
    if (state === this.state && carrier === this.carrier) return;
    this.state = state;
    this.carrier = carrier;
    this.#emit('state', { state, carrier, reason: error?.code, error });
  }

  // ---- what we say

  #subscribe(topic) {
    const ref = this.#requests.ref();
    topic.restore(this.#stored[topic.name]);
    delete this.#stored[topic.name];
    if (this.#news && topic.continues) this.#awaited.add(topic);
    this.#transmit(JSON.stringify(topic.request(ref)), (error) => topic.refused(ref, error));
  }

  #unsubscribe(name) {
    const topic = this.#topics.get(name);
    this.#topics.delete(name);
    this.answered(topic, true);
    if (this.#keeper.session?.usable) this.#transmit(JSON.stringify({ op: 'unsubscribe', topic: name, ref: this.#requests.ref() }));
  }

  #ask(op) {
    this.#demandOpen();
    const json = JSON.stringify(op);
    const answer = this.#requests.add(op.ref, json);
    if (this.#keeper.session?.usable) this.#transmit(json, (error) => this.#requests.fail(op.ref, error));
    else this.#keeper.save();
    return answer;
  }

  #withdraw(json) {
    this.#held = this.#held.filter(([held]) => held !== json);
    this.#keeper.session?.withdraw(json);
  }

  #transmit(json, refused) {
    if (this.#keeper.holding) return this.#held.push([json, refused]);
    try {
      this.#keeper.session.send(json);
    } catch (error) {
      refused?.(error);
    }
  }

  /** A move came to nothing: what waited for it goes the old way. */
  #flush() {
    if (!this.#keeper.ready) return;
    for (const [json, refused] of this.#held.splice(0)) this.#transmit(json, refused);
    for (const json of this.#raw.splice(0)) this.#transmit(json, (error) => this.#emit('error', error));
  }

  /** Something on the way does not let a message through. */
  #refused(json, error) {
    const { ref, topic } = JSON.parse(json) ?? {};
    if (!this.#requests.fail(ref, error) && !this.#topics.get(topic)?.refused(ref, error)) this.#emit('error', error);
  }

  #demand(carrier) {
    if (!this.#supports(carrier)) throw new MochiError('unsupported', `cannot use ${carrier} here`);
  }

  #demandOpen() {
    if (this.state === 'closed') throw new MochiError('closed');
  }

  // ---- what we hear

  /** Answers are good whichever session they come by; the rest only by the one that we listen to. */
  #message(value, current) {
    if (REPLIES.includes(value?.type) && 'ref' in value) return this.#answer(value);
    if (!current) return undefined;
    if (SIGN_IN.includes(value?.type) && this.#token) return void this.#signIn(value);
    if (value?.type === 'error' && value.code) return this.#emit('error', new MochiError(value.code, value.message));
    if (!TOPICAL.includes(value?.type) || typeof value.topic !== 'string') return this.#emit('message', value);
    const topic = this.#topics.get(value.topic);
    return topic ? topic.receive(value) : this.#stray(value.topic);
  }

  /** Our token is about to expire, or did, or the server has the next one. */
  async #signIn({ type }) {
    if (type === 'refreshed') {
      if (this.#tooOld) this.#askAll();
      this.#tooOld = false;
    } else if (this.#token.renewable) {
      try {
        const token = await this.#token.get();
        this.#transmit(JSON.stringify({ op: 'refresh', token, ref: this.#requests.ref() }));
      } catch (error) {
        this.#emit('error', error);
      }
    }
  }

  #answer(value) {
    if (value.code === 'expired' && this.#token?.renewable) return void (this.#tooOld = true);
    if (this.#requests.settle(value) || value.type !== 'error') return;
    const error = new MochiError(value.code, value.message);
    for (const topic of this.#topics.values()) if (topic.refused(value.ref, error)) return;
    this.#emit('error', error);
  }

  /** A topic that the page before its reload listened to, but this one does not. */
  #stray(name) {
    if (this.#keeper.wants?.(name) || this.#strays.has(name) || this.#env.now() - this.#startedAt < SETTLED) return;
    this.#strays.add(name);
    delete this.#stored[name];
    this.#transmit(JSON.stringify({ op: 'unsubscribe', topic: name, ref: this.#requests.ref() }));
  }

  /** Gives a promise if a listener gave one. */
  #emit(event, value) {
    const listeners = [...(this.#listeners.get(event) ?? [])];
    if (event === 'error') return void listeners.forEach((listener) => listener(value));
    const promises = listeners.map((listener) => this.guard(() => listener(value))).filter(Boolean);
    return promises.length ? Promise.all(promises) : undefined;
  }
}
