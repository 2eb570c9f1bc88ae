import { MochiError } from './error.js';
import { byteLength } from './lines.js';

/**
 * What was asked of the bus and is not answered yet: so many requests, of so many bytes together, for so many
 * milliseconds. It is asked again in each new session, which the ids of published messages make safe.
 */
export class Requests {
  #env;
  #limits;
  #withdraw;
  /** Unlike that of any other page, and of this one before its reload. */
  tag;
  #count = 0;
  #bytes = 0;
  #pending = new Map();
  #timer;

  /** @param withdraw is given the text of a request that nobody waits for any more */
  constructor(env, limits, withdraw) {
    this.#env = env;
    this.#limits = limits;
    this.#withdraw = withdraw;
    this.tag = Array.from({ length: 2 }, () => Math.floor(env.random() * 2 ** 52).toString(36)).join('');
  }

  /** What an answer repeats; as an id it makes publishing safe to repeat. */
  ref() {
    return `${this.tag}.${++this.#count}`;
  }

  /** @returns {Promise<object>} the answer of the bus */
  add(ref, json) {
    const size = byteLength(json);
    demandRoom(this.#limits, { count: this.#pending.size, bytes: this.#bytes }, size);
    this.#bytes += size;
    const until = this.#env.now() + this.#limits.age;
    return new Promise((resolve, reject) => {
      this.#pending.set(ref, { json, size, until, resolve, reject });
      this.#watch();
    });
  }

  /** The answer came. Gives whether somebody waited for it. */
  settle({ ref, type, code, message, ...answer }) {
    const request = this.#take(ref);
    if (type === 'error') request?.reject(new MochiError(code, message));
    else request?.resolve(answer);
    return !!request;
  }

  fail(ref, error) {
    const request = this.#take(ref);
    request?.reject(error);
    return !!request;
  }

  failAll(error) {
    for (const ref of [...this.#pending.keys()]) this.fail(ref, error);
  }

  has(ref) {
    return this.#pending.has(ref);
  }

  /** Refs and texts, oldest first. */
  get unanswered() {
    return [...this.#pending].map(([ref, { json }]) => [ref, json]);
  }

  get publishes() {
    return this.unanswered.map(([, json]) => JSON.parse(json)).filter(({ op }) => op === 'publish');
  }

  /**
   * Takes over what the page had published before its reload: nobody waits for it, but it has to get there.
   *
   * @param at when it was published, or later
   */
  adopt(publishes, at = this.#env.now()) {
    const until = at + this.#limits.age;
    const ignore = () => {};
    const adopted = publishes
      .filter(({ ref }) => !this.has(ref))
      .map((op) => [op.ref, { json: JSON.stringify(op), size: 0, until, resolve: ignore, reject: ignore }]);
    this.#pending = new Map([...adopted, ...this.#pending]);
    this.#watch();
  }

  #take(ref) {
    const request = this.#pending.get(ref);
    this.#pending.delete(ref);
    this.#bytes -= request?.size ?? 0;
    if (!this.#pending.size) this.#env.clearTimeout(this.#timer);
    return request;
  }

  /** Whoever waited for too long is told. */
  #watch() {
    this.#env.clearTimeout(this.#timer);
    const now = this.#env.now();
    for (const [ref, { json, until }] of this.#pending) {
      if (until > now) continue;
      this.#withdraw(json);
      this.fail(ref, new MochiError('timeout', 'not confirmed in time'));
    }
    const [next] = this.#pending.values();
    if (next && next.until < Infinity) this.#timer = this.#env.setTimeout(() => this.#watch(), next.until - now);
  }
}

/** Throws if nothing of this size may wait any more. */
export function demandRoom({ messages, bytes }, waiting, size) {
  if (waiting.count >= messages || waiting.bytes + size > bytes) {
    throw new MochiError('full', `${waiting.count} messages of ${waiting.bytes} bytes wait already`);
  }
}
