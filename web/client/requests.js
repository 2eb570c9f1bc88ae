import { MochiError } from './error.js';

/**
 * What was asked of the bus and is not answered yet. It is asked again in each new session, which the ids of
 * published messages make safe.
 */
export class Requests {
  #tag;
  #count = 0;
  #pending = new Map();

  constructor(env) {
    // Unlike that of any other page, and of this one before its reload.
    this.#tag = Array.from({ length: 2 }, () => Math.floor(env.random() * 2 ** 52).toString(36)).join('');
  }

  /** What an answer repeats; as an id it makes publishing safe to repeat. */
  ref() {
    return `${this.#tag}.${++this.#count}`;
  }

  /** @returns {Promise<object>} the answer of the bus */
  add(ref, json) {
    return new Promise((resolve, reject) => this.#pending.set(ref, { json, resolve, reject }));
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

  /** Refs and texts, oldest first. */
  get unanswered() {
    return [...this.#pending].map(([ref, { json }]) => [ref, json]);
  }

  get publishes() {
    return this.unanswered.map(([, json]) => JSON.parse(json)).filter(({ op }) => op === 'publish');
  }

  /** Takes over what the page had published before its reload: nobody waits for it, but it has to get there. */
  adopt(publishes) {
    const strangers = publishes.filter(({ ref }) => !this.#pending.has(ref));
    const ignore = () => {};
    const adopted = strangers.map((op) => [op.ref, { json: JSON.stringify(op), resolve: ignore, reject: ignore }]);
    this.#pending = new Map([...adopted, ...this.#pending]);
  }

  #take(ref) {
    const request = this.#pending.get(ref);
    this.#pending.delete(ref);
    return request;
  }
}
