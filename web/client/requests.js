import { MochiError } from './error.js';
import { byteLength } from './lines.js';

/**
 * What was asked of the bus and is not answered yet: so many requests, of so many bytes together, for so many
 * milliseconds. It is asked again in each new session, which the ids of published messages make safe.
 *
 * @param withdraw is given the text of a request that nobody waits for any more
 */
export function makeRequests(env, limits, withdraw) {
  let count = 0;
  let bytes = 0;
  let pending = new Map();
  let timer;

  const requests = {
    /** Unlike that of any other page, and of this one before its reload. */
    tag: [0, 0].map(() => Math.floor(env.random() * 2 ** 52).toString(36)).join(''),

    /** What an answer repeats; as an id it makes publishing safe to repeat. */
    ref: () => `${requests.tag}.${++count}`,

    /** @returns {Promise<object>} the answer of the bus */
    add(ref, json) {
      const size = byteLength(json);
      demandRoom(limits, { count: pending.size, bytes }, size);
      bytes += size;
      return new Promise((resolve, reject) => {
        pending.set(ref, { json, size, until: env.now() + limits.age, resolve, reject });
        watch();
      });
    },

    /** The answer came. Gives whether somebody waited for it. */
    settle({ ref, type, code, message, ...answer }) {
      if (type === 'error') return requests.fail(ref, new MochiError(code, message));
      const request = take(ref);
      request?.resolve(answer);
      return !!request;
    },

    fail(ref, error) {
      const request = take(ref);
      request?.reject(error);
      return !!request;
    },

    failAll(error) {
      for (const [ref] of requests.unanswered) requests.fail(ref, error);
    },

    /** Refs and texts, oldest first. */
    get unanswered() {
      return [...pending].map(([ref, { json }]) => [ref, json]);
    },

    get publishes() {
      return requests.unanswered.map(([, json]) => JSON.parse(json)).filter(({ op }) => op === 'publish');
    },

    /** Takes over what the page had asked before its reload; it goes first. */
    adopt(older) {
      pending = new Map([...older, ...pending]);
      watch();
    },
  };

  function take(ref) {
    const request = pending.get(ref);
    pending.delete(ref);
    bytes -= request?.size ?? 0;
    if (!pending.size) env.clearTimeout(timer);
    return request;
  }

  /** Whoever waited for too long is told. */
  function watch() {
    env.clearTimeout(timer);
    const now = env.now();
    for (const [ref, { json, until }] of pending) {
      if (until > now) continue;
      withdraw(json);
      requests.fail(ref, new MochiError('timeout', 'not confirmed in time'));
    }
    const [next] = pending.values();
    if (next?.until < Infinity) timer = env.setTimeout(watch, next.until - now);
  }

  return requests;
}

/** Throws if nothing of this size may wait any more. */
export function demandRoom({ messages, bytes }, waiting, size) {
  if (waiting.count >= messages || waiting.bytes + size > bytes) {
    throw new MochiError('full', `${waiting.count} messages, ${waiting.bytes} bytes wait`);
  }
}
