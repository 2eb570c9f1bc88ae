import { byteLength } from './lines.js';
import { MochiError } from './error.js';
import { makeTimer } from './timer.js';

/**
 * What was asked of the bus and is not answered yet: so many requests, of so many bytes together, for so many
 * milliseconds. It is asked again in each new session, which the ids of published messages make safe.
 *
 * @param withdraw is given the text of a request that nobody waits for any more
 */
export function makeRequests(env, limits, withdraw) {
  const timer = makeTimer(env);
  /** Unlike that of any other page, and of this one before its reload. */
  const tag = [0, 0].map(() => env.random().toString(36).slice(2)).join('');
  let pending = new Map();
  let count = 0;
  let bytes = 0;

  function take(ref) {
    const request = pending.get(ref);
    pending.delete(ref);
    bytes -= request?.weight ?? 0;
    if (!pending.size) timer();
    return request;
  }

  function fail(ref, error) {
    const request = take(ref);
    request?.reject?.(error);
    return request;
  }

  /** Whoever waited for too long is told. */
  function watch() {
    const now = env.now();
    for (const [ref, { json, until }] of pending) {
      if (until > now) continue;
      withdraw(json);
      fail(ref, new MochiError('timeout'));
    }
    const [next] = pending.values();
    timer(next?.until < Infinity && watch, next?.until - now);
  }

  const requests = {
    tag,

    /** What an answer repeats; as an id it makes publishing safe to repeat. */
    ref: () => `${tag}.${++count}`,

    /** @returns {Promise<object>} the answer of the bus */
    add(ref, json) {
      const weight = byteLength(json);
      demandRoom(limits, { count: pending.size, bytes }, weight);
      bytes += weight;
      return new Promise((resolve, reject) => {
        pending.set(ref, { json, weight, until: env.now() + limits.age, resolve, reject });
        watch();
      });
    },

    /** The answer came. Gives whether somebody waited for it. */
    settle({ ref, type, code, message, ...answer }) {
      if (type === 'error') return fail(ref, new MochiError(code, message));
      const request = take(ref);
      request?.resolve?.(answer);
      return request;
    },

    failAll(error) {
      for (const ref of pending.keys()) fail(ref, error);
    },

    /** Texts, oldest first. */
    get unanswered() {
      return [...pending.values()].map(({ json }) => json);
    },

    get toPublish() {
      return requests.unanswered.map((json) => JSON.parse(json)).filter(({ op }) => op === 'publish');
    },

    /**
     * Takes over what the page had published before its reload: nobody waits for it, but it has to get there.
     *
     * @param at when it was published, or later
     */
    adopt(publishes, at = env.now()) {
      const adopted = publishes
        .filter(({ ref }) => !pending.has(ref))
        .map((op) => [op.ref, { json: JSON.stringify(op), weight: 0, until: at + limits.age }]);
      pending = new Map([...adopted, ...pending]);
      watch();
    },
  };
  return requests;
}

/** Throws if nothing of this weight, in bytes, may wait any more. */
export function demandRoom({ messages, bytes }, waiting, weight) {
  if (waiting.count >= messages || waiting.bytes + weight > bytes) {
    throw new MochiError('full', 'too much waits');
  }
}
