import { makeStore } from './store.js';

export { makeStore };

/** Milliseconds after which a page that was reloaded has subscribed to what it wants. */
const SETTLED = 10_000;
/** Positions that are kept of topics of an earlier page. */
const MAX_STORED = 200;

/**
 * What a page needs to go on after its reload: a store, and what it finds there. It is loaded when that is asked for.
 *
 * @param name under which it is stored
 * @param age milliseconds for which it is tried to publish something
 * @param requests {adopt}
 * @param leave tells the server that a topic is not wanted
 */
export function makeReload(env, name, { age, requests, leave }) {
  const startedAt = env.now();
  const strays = new Set();
  /** Positions of topics that the page did not subscribe to again yet. */
  let stored = {};
  let restoredAt;

  const reload = {
    ...makeStore(env, 'storage', name),

    /** What the page had before. */
    restored({ at, topics = {}, publishes = [] }) {
      restoredAt = at;
      stored = topics;
      reload.adopt(publishes);
    },

    /** Nobody waits any more for what was published before, but it has to get there. */
    adopt(publishes) {
      const until = (restoredAt ?? env.now()) + age;
      const ignore = () => {};
      requests.adopt(publishes.map((op) => [op.ref, { json: JSON.stringify(op), size: 0, until, resolve: ignore, reject: ignore }]));
    },

    /** The position of a topic, once. */
    take(topic) {
      const position = stored[topic];
      delete stored[topic];
      return position;
    },

    /** The positions of all topics, with those that the page has now. */
    merge(topics) {
      return { ...Object.fromEntries(Object.entries(stored).slice(-MAX_STORED)), ...topics };
    },

    /** A message of a topic that the page before listened to, but this one does not. */
    stray(topic) {
      if (strays.has(topic) || env.now() - startedAt < SETTLED) return;
      strays.add(topic);
      reload.take(topic);
      leave(topic);
    },
  };
  return reload;
}
