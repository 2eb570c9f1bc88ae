// The two numbered lines of a session (docs/push-v1.md, section 1): plain bookkeeping, no clock and no network.

/** What the server sent: each message once, in order; acknowledged when all before it were handled too. */
export class Inbox {
  /** All up to here arrived. */
  received;
  /** All up to here were handled: this is our `ack`. */
  handled;
  #early = new Set();

  constructor(handled = 0) {
    this.received = this.handled = handled;
  }

  /** Whether message n is news. A gap is for the caller to see before. */
  take(n) {
    if (n <= this.received) return false;
    this.received = n;
    return true;
  }

  /** Message n was handled. Handlers finish in any order; the acknowledgement never skips one. */
  settle(n) {
    this.#early.add(n);
    while (this.#early.delete(this.handled + 1)) this.handled++;
  }
}

/** What we send: kept until the server has it. */
export class Outbox {
  /** The server has all up to here. */
  acked;
  #items;

  /** @param {string[]} items JSON of the messages after `acked` */
  constructor(acked = 0, items = []) {
    this.acked = acked;
    this.#items = items.map((json) => ({ json, size: byteLength(json) }));
  }

  add(json) {
    this.#items.push({ json, size: byteLength(json) });
  }

  confirm(ack) {
    const count = Math.min(ack - this.acked, this.#items.length);
    if (!(count > 0)) return;
    this.#items.splice(0, count);
    this.acked += count;
  }

  /** JSON of all that is not confirmed. */
  get unconfirmed() {
    return this.#items.map((item) => item.json);
  }

  /** Number of the last message. */
  get last() {
    return this.acked + this.#items.length;
  }

  get empty() {
    return !this.#items.length;
  }

  /** What is not confirmed, in numbers. */
  get backlog() {
    return { count: this.#items.length, bytes: this.#items.reduce((sum, { size }) => sum + size, 0) };
  }

  /**
   * The next messages to send.
   *
   * @param {number} after number of the last message that was sent this way
   * @param {number} window most messages that may be unacknowledged
   * @param {number} room bytes for the messages together
   * @returns {{first: number, last: number, messages: string[]} | undefined}
   */
  batch(after, window, room) {
    const start = Math.max(after - this.acked, 0);
    const messages = [];
    for (const { json, size } of this.#items.slice(start, window)) {
      room -= size + 1;
      if (room < 0 && messages.length) break;
      messages.push(json);
    }
    const first = this.acked + start + 1;
    return messages.length ? { first, last: first + messages.length - 1, messages } : undefined;
  }

  /**
   * Takes out message n, which something on the way never lets through. Its number cannot be skipped, so an empty
   * message goes in its place.
   */
  blank(n) {
    const { json } = this.#items[n - this.acked - 1];
    this.withdraw(json);
    return json;
  }

  /** Does so with a message that nobody waits for any more, if it is here. */
  withdraw(json) {
    const item = this.#items.find((one) => one.json === json);
    if (item) Object.assign(item, { json: 'null', size: 4 });
  }
}

const encoder = new TextEncoder();

export function byteLength(text) {
  return encoder.encode(text).length;
}
