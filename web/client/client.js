import { environment, watch } from './env.js';
import { makeKeeper } from './keeper.js';
import { makeTopic } from './topic.js';
import { makeChoice } from './choice.js';
import { makeToken } from './token.js';
import { byteLength } from './lines.js';
import { load } from './load.js';
import { MochiError } from './error.js';
import { demandRoom, makeRequests } from './requests.js';

const TOPICAL = ['subscribed', 'message', 'join', 'leave', 'dropped', 'hidden', 'unsubscribed'];
/** What the server says of our token. */
const SIGN_IN = ['expiring', 'expired', 'refreshed'];
const REPLIES = ['published', 'unsubscribed', 'presence', 'error'];

/**
 * Connects at once, and sees to it for ever that it stays so, until `close`.
 *
 * What the page deals with are topics and messages. They outlive sessions, and move between them.
 */
export function connect({ carrier = 'auto', to = '', resume, url: base = '', queue, token: proof, tabs, ...world } = {}) {
  const env = environment(world);
  const urls = { longpoll: '/push', sse: '/push/sse', websocket: '/push/ws', bosh: '/http-bind' };
  for (const name in urls) urls[name] = world[name] ?? base + urls[name];
  const choice = makeChoice(env, urls, carrier === 'bosh' ? 'auto' : carrier);
  // What may wait at most: so many messages, of so many bytes together, for so many milliseconds. The bus knows an id
  // again for five minutes, so what is repeated later than that may come twice.
  const limits = { messages: 1000, bytes: 1_048_576, age: 240_000, ...queue };
  const token = proof && makeToken(proof);
  const requests = makeRequests(env, limits, withdraw);
  const setup = { env, urls, to, token, choice };
  const topics = new Map();
  const listeners = {};
  /** What we speak to: a keeper of sessions, or what has its face where tabs share one. */
  let keeper;
  /** Settled when it is known whether the tabs share one. */
  let joining;
  /** Something was refused because the token is too old: it is asked again with the next one. */
  let tooOld = false;
  /** From before a reload: {at, topics, isStray}; positions of topics that the page did not subscribe to again yet. */
  let past = { topics: {} };
  /** JSON of messages of the page's own that wait: for any session, or for a move to end. */
  const raw = [];
  /** What is to be told about a new session, whether it is to be told yet, and the topics that have to answer before. */
  let resumed;
  let recovered = true;
  let unconfirmed = [];
  let untold = false;
  const awaited = new Set();

  const client = {
    state: 'connecting',
    carrier: '',

    /** Whether the connection is this tab's. */
    get leading() {
      return keeper.leading ?? !joining;
    },

    /** Who we are to the server. */
    get user() {
      return keeper.current?.user;
    },

    /** @returns {() => void} takes the listener off */
    on(event, listener) {
      const those = (listeners[event] ??= new Set()).add(listener);
      return () => those.delete(listener);
    },

    /** Subscribing again to a topic replaces the subscription. */
    subscribe(name, options = {}) {
      const topic = makeTopic(callbacks, name, options);
      answered(topics.get(name), true);
      topics.set(name, topic);
      resubscribe(name);
      const ours = () => topics.get(name) === topic;
      return {
        topic: name,
        setPresence(presence) {
          topic.options = { ...topic.options, presence };
          if (ours()) resubscribe(name);
        },
        unsubscribe: () => ours() && unsubscribe(name),
      };
    },

    /** Settles when the message is in its topic, or was refused, or the client is closed. */
    async publish(topic, data = null, { id, receipts } = {}) {
      const ref = requests.ref();
      const { offset, duplicate = false } = await ask({ op: 'publish', topic, data, id: id ?? ref, receipts, ref });
      return { offset, duplicate };
    },

    /** Who is in a topic. */
    async presence(topic) {
      return (await ask({ op: 'presence', topic, ref: requests.ref() })).members;
    },

    /** A message for a backend that is not the bus. It belongs to the session, and may be lost with it. */
    send(value) {
      demandOpen();
      if (joining) throw new MochiError('unsupported', 'not with tabs');
      const json = JSON.stringify(value);
      const { count = 0, bytes = 0 } = keeper.current?.backlog ?? {};
      demandRoom(limits, { count: count + raw.length, bytes: bytes + raw.join('').length }, byteLength(json));
      if (keeper.ready) keeper.current.send(json);
      else raw.push(json);
    },

    /** Switches to a carrier while all goes on. If that fails, it goes on as before. */
    async use(carrier) {
      demand(carrier);
      demandOpen();
      await joining;
      return keeper.use(carrier);
    },

    /** Ends the session. What was published and not confirmed may or may not get there. */
    close: () => end(new MochiError('closed')),
  };

  // ---- for the topics

  /** Runs code of the page. Gives a promise, which does not reject, if that is what the code gave. */
  function guard(run) {
    try {
      const result = run();
      if (result?.then) return Promise.resolve(result).catch(trouble);
    } catch (error) {
      trouble(error);
    }
    return undefined;
  }

  /** The server answered a subscription. */
  function answered(topic, complete) {
    if (!awaited.delete(topic)) return;
    recovered &&= complete;
    announce();
  }

  function resubscribe(name) {
    const topic = topics.get(name);
    if (topic && keeper.current?.usable) subscribe(topic);
  }

  // ---- beginning and end

  /** The tabs share one connection; what does that is loaded now. Without it we go alone. */
  async function join(bosh) {
    const single = keeper;
    const alone = () => {
      joining = undefined;
      if (client.state === 'closed') return;
      keeper = single;
      single.begin(bosh);
    };
    try {
      const [{ makeTabs }, store] = await Promise.all([load(() => import('./tabs/tabs.js'), './tabs/tabs.js'), openOwn && openOwn()]);
      if (client.state === 'closed') return;
      const options = { setup, store, openStore, makeKeeper, name: tabs, id: requests.tag, age: limits.age };
      keeper = makeTabs(options, { ...callbacks, alone });
      keeper.begin(bosh);
    } catch (error) {
      trouble(error);
      alone();
    }
  }

  /** What survives a reload. */
  async function openStore(name, isShared) {
    return (await load(() => import('./reload/store.js'), './reload/store.js')).makeStore(env, name, isShared);
  }

  function end(error) {
    if (client.state === 'closed') return;
    keeper.close();
    ignoreWorld();
    setState('closed', client.carrier, error);
    requests.failAll(error);
  }

  // ---- sessions

  /** What the topics and the keeper ask of us and tell us. */
  const callbacks = {
    guard,
    answered,
    resubscribe,
    isShared: () => joining,
    opened,
    message,
    trouble,
    refused,
    positions,
    lost: salvage,
    ended: end,
    state: setState,

    /** What the page had before its reload. */
    restored(saved) {
      past = saved;
      requests.adopt(saved.publishes, saved.at);
    },

    toPublish: () => requests.toPublish,

    /** A move came to nothing: what waited for it goes the old way. */
    unheld: transmitRaw,
  };

  /** A session is there: everything that is wanted is asked of it. */
  function opened(again) {
    resumed = again;
    untold = true;
    awaited.clear();
    askAll();
    transmitRaw();
    announce();
  }

  function askAll() {
    topics.forEach(subscribe);
    requests.unanswered.forEach(transmit);
  }

  /** Tells of the new session once it is known whether anything was lost with the old one. */
  function announce() {
    if (!untold || awaited.size) return;
    const news = { resumed, recovered: recovered && !unconfirmed.length, unconfirmed };
    untold = false;
    recovered = true;
    unconfirmed = [];
    emit('session', news);
  }

  /** The session is lost, and these messages with it, for all we know. */
  function salvage(unsent) {
    const values = unsent.map((json) => JSON.parse(json));
    const ours = (value) => typeof value?.op === 'string' && typeof value.ref === 'string';
    // Those that nobody here waits for are from before a reload.
    requests.adopt(values.filter((value) => ours(value) && value.op === 'publish'), past.at);
    unconfirmed.push(...values.filter((value) => value !== null && !ours(value)));
    awaited.clear();
  }

  function positions() {
    const own = {};
    for (const { name, position } of topics.values()) own[name] = position;
    return { stored: past.topics, own };
  }

  function setState(state, carrier, error) {
    if (state === client.state && carrier === client.carrier) return;
    Object.assign(client, { state, carrier });
    emit('state', { state, carrier, reason: error?.code, error });
  }

  // ---- what we say

  function subscribe(topic) {
    topic.restore(past.topics[topic.name]);
    delete past.topics[topic.name];
    if (untold && topic.continues) awaited.add(topic);
    transmit(JSON.stringify(topic.subscribing(requests.ref())));
  }

  function unsubscribe(name) {
    const topic = topics.get(name);
    topics.delete(name);
    answered(topic, true);
    if (keeper.current?.usable) leave(name);
  }

  function leave(topic) {
    say({ op: 'unsubscribe', topic });
  }

  function say(op) {
    transmit(JSON.stringify({ ...op, ref: requests.ref() }));
  }

  async function ask(op) {
    demandOpen();
    const json = JSON.stringify(op);
    const answer = requests.add(op.ref, json);
    if (keeper.current?.usable) transmit(json);
    else keeper.save();
    return answer;
  }

  function withdraw(json) {
    keeper.current?.withdraw(json);
  }

  function transmit(json) {
    try {
      keeper.current?.send(json);
    } catch {
      refused(json);
    }
  }

  function transmitRaw() {
    if (keeper.ready) raw.splice(0).forEach(transmit);
  }

  /** It is too big for the server, or for something on the way. */
  function refused(json) {
    answer({ type: 'error', ref: JSON.parse(json)?.ref, code: 'too-big' });
  }

  function demand(carrier) {
    const supported = carrier === 'bosh' ? urls.bosh && env.DOMParser : choice.has(carrier);
    if (!supported) throw new MochiError('unsupported', `no ${carrier} here`);
  }

  function demandOpen() {
    if (client.state === 'closed') throw new MochiError('closed');
  }

  // ---- what we hear

  /** Answers are good whichever session they come by; the rest only by the one that we listen to. */
  function message(value, current) {
    const { type, topic, code } = value ?? {};
    if (REPLIES.includes(type) && 'ref' in value) return answer(value);
    if (!current) return undefined;
    if (token && SIGN_IN.includes(type)) return signIn(type);
    if (type === 'error' && code) return trouble(new MochiError(code, value.message));
    if (!TOPICAL.includes(type) || typeof topic !== 'string') return emit('message', value);
    if (topics.has(topic)) return topics.get(topic).receive(value);
    // The page before its reload listened to it, but this one does not.
    if (past.isStray?.(topic)) leave(topic);
    return undefined;
  }

  /** Our token is about to expire, or did, or the server has the next one. */
  function signIn(type) {
    if (type === 'refreshed') {
      if (tooOld) askAll();
      tooOld = false;
    } else if (token.renewable) {
      const refresh = (next) => say({ op: 'refresh', token: next });
      token.get().then(refresh, trouble);
    }
  }

  function answer(value) {
    const { type, ref, code, message } = value;
    if (code === 'expired' && token?.renewable) return void (tooOld = true);
    if (requests.settle(value) || type !== 'error') return;
    const error = new MochiError(code, message);
    if (![...topics.values()].some((topic) => topic.refused(ref, error))) trouble(error);
  }

  function trouble(error) {
    emit('error', error);
  }

  /** Gives a promise if a listener gave one. */
  function emit(event, value) {
    const those = [...(listeners[event] ?? [])];
    if (event === 'error') return void those.forEach((listener) => listener(value));
    const promises = those.map((listener) => guard(() => listener(value))).filter(Boolean);
    return promises.length ? Promise.all(promises) : undefined;
  }

  demand(carrier);
  const isStored = resume && (env.storage || 'sessionStorage' in globalThis);
  const openOwn = isStored && (() => openStore(resume));
  keeper = makeKeeper(setup, openOwn, callbacks);
  const ignoreWorld = watch(env, { wake: () => keeper.wake(), leave: () => keeper.leave() });
  const bosh = carrier === 'bosh';
  if (tabs && env.BroadcastChannel) joining = join(bosh);
  else keeper.begin(bosh);
  return client;
}
