// The two numbered lines of a session (docs/push-v1.md, section 1): plain bookkeeping, no clock and no network.

/** What the server sent: each message once, in order; acknowledged when all before it were handled too. */
export function makeInbox(handled = 0) {
  const early = new Set();
  const inbox = {
    /** All up to here arrived. */
    received: handled,
    /** All up to here were handled: this is our `ack`. */
    handled,

    /** Whether message n is news. A gap is for the caller to see before. */
    take(n) {
      const news = n > inbox.received;
      if (news) inbox.received = n;
      return news;
    },

    /** Message n was handled. Handlers finish in any order; the acknowledgement never skips one. */
    settle(n) {
      early.add(n);
      while (early.delete(inbox.handled + 1)) inbox.handled++;
    },
  };
  return inbox;
}

/**
 * What we send: kept until the server has it.
 *
 * @param {string[]} old JSON of the messages after `acked`
 */
export function makeOutbox(acked = 0, old = []) {
  const items = [];
  const outbox = {
    /** The server has all up to here. */
    acked,

    add(json) {
      items.push({ json, weight: byteLength(json) });
    },

    confirm(ack) {
      const count = Math.min(ack - outbox.acked, items.length);
      if (!(count > 0)) return;
      items.splice(0, count);
      outbox.acked += count;
    },

    /** JSON of all that is not confirmed. */
    get unacknowledged() {
      return items.map(({ json }) => json);
    },

    /** Number of the last message. */
    get last() {
      return outbox.acked + items.length;
    },

    /** What is not confirmed, in numbers. */
    get backlog() {
      return { count: items.length, bytes: items.reduce((sum, { weight }) => sum + weight, 0) };
    },

    /**
     * The next messages to send.
     *
     * @param {number} after number of the last message that was sent this way
     * @param {number} window most messages that may be unacknowledged
     * @param {number} room bytes for the messages together
     * @returns {{first: number, last: number, messages: string[]} | undefined}
     */
    batch(after, window, room) {
      const start = Math.max(after - outbox.acked, 0);
      const messages = [];
      for (const { json, weight } of items.slice(start, window)) {
        room -= weight + 1;
        if (room < 0 && messages.length) break;
        messages.push(json);
      }
      const last = outbox.acked + start + messages.length;
      return messages.length ? { first: outbox.acked + start + 1, last, messages } : undefined;
    },

    /**
     * A message is not to be sent any more, if it is here: nobody waits for it, or something on the way never lets it
     * through. Its number cannot be skipped, so an empty message goes in its place.
     */
    withdraw(json) {
      const item = items.find((one) => one.json === json);
      if (!item) return;
      item.json = 'null';
      item.weight = 4;
    },
  };
  old.forEach(outbox.add);
  return outbox;
}

const encoder = new TextEncoder();

export function byteLength(text) {
  return encoder.encode(text).length;
}
