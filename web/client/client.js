import { Choice } from './choice.js';
import { environment, watch } from './env.js';
import { MochiError } from './error.js';
import { Keeper } from './keeper.js';
import { Requests } from './requests.js';
import { Store } from './store.js';
import { Topic } from './topic.js';

const URLS = { longpoll: '/push', sse: '/push/sse', websocket: '/push/ws', bosh: '/http-bind' };
const TOPICAL = ['subscribed', 'message', 'join', 'leave', 'dropped'];
const REPLIES = ['published', 'unsubscribed', 'presence', 'error'];
/** Milliseconds after which a page that was reloaded has subscribed to what it wants. */
const SETTLED = 10_000;

/** Connects at once, and sees to it for ever that it stays so, until `close`. */
export function connect(options = {}) {
  return new Client(options);
}

/** What the page deals with: topics and messages. It outlives sessions, and moves between them. */
class Client {
  state = 'connecting';
  carrier = '';
  #env;
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
  #ignoreWorld;

  constructor({ carrier = 'auto', to = '', resume = false, ...options }) {
    const env = (this.#env = environment(options));
    const urls = Object.fromEntries(Object.entries(URLS).map(([name, url]) => [name, options[name] ?? url]));
    const choice = new Choice(env, urls, carrier === 'bosh' ? 'auto' : carrier);
    this.#supports = (name) => (name === 'bosh' ? !!(urls.bosh && env.DOMParser) : choice.has(name));
    this.#demand(carrier);
    this.#startedAt = env.now();
    this.#requests = new Requests(env);
    this.#keeper = new Keeper({ env, urls, to, choice }, resume ? new Store(env, resume) : undefined, this.#callbacks());
    this.#ignoreWorld = watch(env, { wake: () => this.#keeper.wake(), leave: () => this.#keeper.leave() });
    this.#keeper.begin(carrier === 'bosh');
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
  async publish(topic, data = null, { id } = {}) {
    const ref = this.#requests.ref();
    const { offset, duplicate = false } = await this.#ask({ op: 'publish', topic, data, id: id ?? ref, ref });
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
    const json = JSON.stringify(value);
    if (this.#keeper.ready) this.#keeper.session.send(json);
    else this.#raw.push(json);
  }

  /** Switches to a carrier while all goes on. If that fails, it goes on as before. */
  async use(carrier) {
    this.#demand(carrier);
    this.#demandOpen();
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

  // ---- beginning and end

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
  #restore({ topics = {}, publishes = [] }) {
    this.#stored = topics;
    this.#requests.adopt(publishes);
  }

  /** A session is there: everything that is wanted is asked of it. */
  #opened(resumed) {
    this.#held = [];
    this.#news = { resumed, recovered: this.#news?.recovered ?? true, unconfirmed: this.#news?.unconfirmed ?? [] };
    this.#awaited = new Set();
    for (const topic of this.#topics.values()) this.#subscribe(topic);
    for (const [ref, json] of this.#requests.unanswered) this.#transmit(json, (error) => this.#requests.fail(ref, error));
    for (const json of this.#raw.splice(0)) this.#transmit(json, (error) => this.#emit('error', error));
    this.#announce();
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
    this.#requests.adopt(values.filter((value) => ours(value) && value.op === 'publish'));
    const unconfirmed = values.filter((value) => value !== null && !ours(value));
    this.#news = { recovered: this.#news?.recovered ?? true, unconfirmed: [...(this.#news?.unconfirmed ?? []), ...unconfirmed] };
    this.#awaited.clear();
  }

  #positions() {
    const positions = { ...this.#stored };
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
    if (!TOPICAL.includes(value?.type) || typeof value.topic !== 'string') return this.#emit('message', value);
    const topic = this.#topics.get(value.topic);
    return topic ? topic.receive(value) : this.#stray(value.topic);
  }

  #answer(value) {
    if (this.#requests.settle(value) || value.type !== 'error') return;
    const error = new MochiError(value.code, value.message);
    for (const topic of this.#topics.values()) if (topic.refused(value.ref, error)) return;
    this.#emit('error', error);
  }

  /** A topic that the page before its reload listened to, but this one does not. */
  #stray(name) {
    if (this.#strays.has(name) || this.#env.now() - this.#startedAt < SETTLED) return;
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
