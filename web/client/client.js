import { makeChoice } from './choice.js';
import { environment, watch } from './env.js';
import { MochiError } from './error.js';
import { byteLength } from './lines.js';
import { makeKeeper } from './keeper.js';
import { demandRoom, makeRequests } from './requests.js';
import { makeToken } from './token.js';
import { makeTopic } from './topic.js';

const URLS = { longpoll: '/push', sse: '/push/sse', websocket: '/push/ws', bosh: '/http-bind' };
const TOPICAL = ['subscribed', 'message', 'join', 'leave', 'dropped', 'hidden', 'unsubscribed'];
/** What the server says of our token. */
const SIGN_IN = ['expiring', 'expired', 'refreshed'];
const REPLIES = ['published', 'unsubscribed', 'presence', 'error'];
/**
 * What may wait at most: so many messages, of so many bytes together, for so many milliseconds. The bus knows an id
 * again for five minutes, so what is repeated later than that may come twice.
 */
const QUEUE = { messages: 1000, bytes: 1_048_576, age: 240_000 };
/** In place of a keeper of sessions, until it is there. */
const NOBODY = { leading: false, save() {}, wake() {}, leave() {}, close() {} };

/**
 * Connects at once, and sees to it for ever that it stays so, until `close`. What the page deals with are topics and
 * messages: they outlive sessions, and move between them.
 */
export function connect({ carrier: wanted = 'auto', to = '', resume, url: base = '', queue, token: source, tabs, ...world } = {}) {
  const env = environment(world);
  const urls = Object.fromEntries(Object.entries(URLS).map(([name, url]) => [name, world[name] ?? base + url]));
  const bosh = wanted === 'bosh';
  const choice = makeChoice(env, urls, bosh ? 'auto' : wanted);
  const token = source && makeToken(source);
  const limits = { ...QUEUE, ...queue };
  const topics = new Map();
  const listeners = new Map();
  /** JSON of messages that wait: for any session, or for a move to end. */
  const raw = [];
  let held = [];
  /** Something was refused because the token is too old: it is asked again with the next one. */
  let tooOld = false;
  /** What there was before a reload, once it is loaded. */
  let reload;
  /** What is to be told about a new session, and the topics that have to answer before. */
  let news;
  const awaited = new Set();
  /** Until the tabs have found out who speaks for all; then other tabs speak through the same session. */
  let joining;

  const client = {
    state: 'connecting',
    carrier: '',

    /** Whether the connection is this tab's. */
    get leading() {
      return keeper.leading ?? true;
    },

    /** Who we are to the server. */
    get user() {
      return keeper.session?.user;
    },

    /** @returns {() => void} takes the listener off */
    on(event, listener) {
      const those = listeners.get(event) ?? new Set();
      listeners.set(event, those.add(listener));
      return () => those.delete(listener);
    },

    /** Subscribing again to a topic replaces the subscription. */
    subscribe(name, options = {}) {
      const topic = makeTopic(page, name, options);
      const ours = () => topics.get(name) === topic;
      page.answered(topics.get(name), true);
      topics.set(name, topic);
      page.resubscribe(name);
      return {
        topic: name,
        setPresence(presence) {
          topic.options = { ...topic.options, presence };
          if (ours()) page.resubscribe(name);
        },
        unsubscribe() {
          if (!ours()) return;
          topics.delete(name);
          page.answered(topic, true);
          if (keeper.session?.usable) leave(name);
        },
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
      const { count = 0, bytes = 0 } = keeper.session?.backlog ?? {};
      demandRoom(limits, { count: count + raw.length, bytes: bytes + raw.join('').length }, byteLength(json));
      if (keeper.ready) keeper.session.send(json);
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
    close() {
      end(new MochiError('closed'));
    },
  };

  // ---- for the topics

  const page = {
    /** Runs code of the page. Gives a promise, which does not reject, if that is what the code gave. */
    guard(run) {
      try {
        const result = run();
        if (typeof result?.then === 'function') return Promise.resolve(result).catch(failed);
      } catch (error) {
        failed(error);
      }
      return undefined;
    },

    /** The server answered a subscription. */
    answered(topic, recovered) {
      if (!awaited.delete(topic)) return;
      news.recovered &&= recovered;
      announce();
    },

    /** Whether other tabs speak through the same session. */
    get shared() {
      return !!joining;
    },

    resubscribe(name) {
      const topic = topics.get(name);
      if (topic && keeper.ready) subscribe(topic);
    },
  };

  // ---- beginning and end

  /** The tabs share one connection; what does that is loaded now. Without it we go alone. */
  async function join() {
    const single = keeper;
    const alone = () => {
      joining = undefined;
      if (client.state === 'closed') return;
      keeper = single;
      single.begin(bosh);
    };
    keeper = NOBODY;
    try {
      const { Tabs } = await import('./tabs/tabs.js');
      if (client.state === 'closed') return;
      const options = { setup, store: open && (await openStore()), name: tabs, id: requests.tag, age: limits.age };
      keeper = new Tabs(options, { ...callbacks, alone, again: page.resubscribe });
      keeper.begin(bosh);
    } catch (error) {
      failed(error);
      alone();
    }
  }

  function end(error) {
    if (client.state === 'closed') return;
    keeper.close();
    ignoreWorld();
    setState('closed', client.carrier, error);
    requests.failAll(error);
  }

  // ---- sessions

  const callbacks = {
    restored: (saved) => reload?.restored(saved),

    /** A session is there: everything that is wanted is asked of it. */
    opened(resumed) {
      held = [];
      news = { resumed, recovered: news?.recovered ?? true, unconfirmed: news?.unconfirmed ?? [] };
      awaited.clear();
      askAll();
      transmitRaw();
      announce();
    },

    state: setState,
    message,

    positions: () => reload.merge(Object.fromEntries([...topics].map(([name, { position }]) => [name, position]))),
    publishes: () => requests.publishes,

    /** Something on the way does not let a message through. */
    refused(json) {
      const error = new MochiError('too-big');
      const { ref, topic } = JSON.parse(json) ?? {};
      if (!requests.fail(ref, error) && !topics.get(topic)?.refused(ref, error)) failed(error);
    },

    trouble: failed,

    /** The session is lost, and these messages with it, for all we know. */
    lost(unsent) {
      const values = unsent.map((json) => JSON.parse(json));
      const ours = (value) => typeof value?.op === 'string' && typeof value.ref === 'string';
      // Those that nobody here waits for are from before a reload.
      reload?.adopt(values.filter((value) => ours(value) && value.op === 'publish'));
      const unconfirmed = values.filter((value) => value !== null && !ours(value));
      news = { recovered: news?.recovered ?? true, unconfirmed: [...(news?.unconfirmed ?? []), ...unconfirmed] };
      awaited.clear();
    },

    /** A move came to nothing: what waited for it goes the old way. */
    unheld() {
      if (!keeper.ready) return;
      for (const message of held.splice(0)) transmit(...message);
      transmitRaw();
    },

    ended: end,
  };

  function askAll() {
    topics.forEach(subscribe);
    for (const [ref, json] of requests.unanswered) transmit(json, (error) => requests.fail(ref, error));
  }

  function transmitRaw() {
    for (const json of raw.splice(0)) transmit(json, failed);
  }

  /** Tells of the new session once it is known whether anything was lost with the old one. */
  function announce() {
    if (!news || awaited.size) return;
    const { resumed, recovered, unconfirmed } = news;
    news = undefined;
    emit('session', { resumed, recovered: recovered && !unconfirmed.length, unconfirmed });
  }

  function setState(state, carrier, error) {
    if (state === client.state && carrier === client.carrier) return;
    client.state = state;
    client.carrier = carrier;
    emit('state', { state, carrier, reason: error?.code, error });
  }

  // ---- what we say

  function subscribe(topic) {
    const ref = requests.ref();
    topic.restore(reload?.take(topic.name));
    if (news && topic.continues) awaited.add(topic);
    transmit(JSON.stringify(topic.request(ref)), (error) => topic.refused(ref, error));
  }

  function leave(topic) {
    transmit(JSON.stringify({ op: 'unsubscribe', topic, ref: requests.ref() }));
  }

  function ask(op) {
    demandOpen();
    const json = JSON.stringify(op);
    const answer = requests.add(op.ref, json);
    if (keeper.session?.usable) transmit(json, (error) => requests.fail(op.ref, error));
    else keeper.save();
    return answer;
  }

  function transmit(json, refused) {
    if (keeper.holding) return void held.push([json, refused]);
    try {
      keeper.session.send(json);
    } catch (error) {
      refused?.(error);
    }
  }

  function demand(carrier) {
    if (!(carrier === 'bosh' ? urls.bosh && env.DOMParser : choice.has(carrier))) {
      throw new MochiError('unsupported', `no ${carrier} here`);
    }
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
    if (SIGN_IN.includes(type) && token) return void signIn(type);
    if (type === 'error' && code) return failed(new MochiError(code, value.message));
    if (!TOPICAL.includes(type) || typeof topic !== 'string') return emit('message', value);
    if (topics.has(topic)) return topics.get(topic).receive(value);
    // Where tabs share the session, it is for another one.
    return joining ? undefined : reload?.stray(topic);
  }

  /** Our token is about to expire, or did, or the server has the next one. */
  async function signIn(type) {
    if (type === 'refreshed') {
      if (tooOld) askAll();
      tooOld = false;
    } else if (token.renewable) {
      try {
        transmit(JSON.stringify({ op: 'refresh', token: await token.get(), ref: requests.ref() }));
      } catch (error) {
        failed(error);
      }
    }
  }

  function answer(value) {
    const { type, ref, code } = value;
    if (code === 'expired' && token?.renewable) return void (tooOld = true);
    if (requests.settle(value) || type !== 'error') return;
    const error = new MochiError(code, value.message);
    for (const topic of topics.values()) if (topic.refused(ref, error)) return;
    failed(error);
  }

  /** Gives a promise if a listener gave one. */
  function emit(event, value) {
    const promises = [...(listeners.get(event) ?? [])].map((listener) => page.guard(() => listener(value))).filter(Boolean);
    return promises.length ? Promise.all(promises) : undefined;
  }

  function failed(error) {
    [...(listeners.get('error') ?? [])].forEach((listener) => listener(error));
  }

  demand(wanted);
  const requests = makeRequests(env, limits, (json) => {
    held = held.filter(([waiting]) => waiting !== json);
    keeper.session?.withdraw(json);
  });
  const setup = { env, urls, to, token, choice };
  /** Without what is loaded here, the page begins anew. */
  async function openStore() {
    try {
      const { makeReload } = await import('./reload.js');
      reload = makeReload(env, resume, { age: limits.age, requests, leave });
    } catch (error) {
      failed(error);
    }
    return reload;
  }
  // Workers have no storage.
  const open = resume && (env.storage ?? globalThis.Storage) && openStore;
  let keeper = makeKeeper(setup, open, callbacks);
  const ignoreWorld = watch(env, { wake: () => keeper.wake(), leave: () => keeper.leave() });
  if (tabs && env.BroadcastChannel) joining = join();
  else keeper.begin(bosh);
  return client;
}
