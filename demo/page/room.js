/**
 * One room: its messages in order, what of them is unread, and what of ours is still under way. It knows neither the
 * page nor the client.
 *
 * A message is {id, by, name, text, at, carrier, life, offset, state}. `state` is 'sent', 'pending' or 'failed'; only
 * a sent one has an offset. `life` counts how often the server's history of the room began anew: offsets of
 * different lives say nothing about each other.
 */

/** A page that stays open for weeks must not grow for ever. */
const MOST = 500;

export class Room {
  /** Sent ones in the order of the topic, then pending ones in the order written. */
  messages = [];
  unread = 0;
  /** Whether all history is here: what comes now is new. */
  live = false;
  draft = '';
  seen;
  #position = { epoch: undefined, offset: 0 };
  #life = 0;
  #byID = new Map();

  /** @param seen the position up to which everything was seen on an earlier visit */
  constructor(name, seen) {
    this.name = name;
    this.topic = `room/${name}`;
    // What is true only now, who is here and who types, has a topic of its own, so that it never is in the history.
    this.now = `now/${name}`;
    // Who closed the page a moment ago: the session behind it lives a little longer.
    this.gone = `gone/${name}`;
    // Who has closed the page is told by it what is written here, and who has not acknowledges that.
    this.away = `away/${name}`;
    this.seen = seen;
  }

  get position() {
    return { ...this.#position };
  }

  /** The subscription stands. Gives a notice to show, if messages are lost. */
  subscribed({ epoch, offset, recovered }) {
    const before = this.#position.epoch;
    if (epoch === before) return undefined;
    this.#position = { epoch, offset };
    if (before === undefined) return undefined;
    this.#life++;
    this.seen = undefined;
    if (recovered) return undefined;
    const text = 'The server began anew. Messages from in between may be missing.';
    return this.#insert({ id: `life ${this.#life}`, notice: text, life: this.#life, offset: 0, state: 'sent', at: Date.now() });
  }

  /** A message came from the topic. Gives it, or undefined if it was here already. */
  receive(offset, data, now = Date.now()) {
    this.#position.offset = Math.max(this.#position.offset, offset);
    const message = this.#read(offset, data, now);
    const known = this.#byID.get(message.id);
    if (known) return known.state === 'sent' ? undefined : this.settle(known, offset);
    return this.#insert(message);
  }

  /** We wrote something. It stays at the end until it is in the topic. */
  write(data) {
    const message = { ...data, id: key(data), data, state: 'pending' };
    this.messages.push(message);
    this.#byID.set(message.id, message);
    return message;
  }

  /** A message of ours is in the topic. */
  settle(message, offset) {
    if (message.state === 'sent') return message;
    this.messages.splice(this.messages.indexOf(message), 1);
    Object.assign(message, { state: 'sent', life: this.#life, offset });
    return this.#insert(message);
  }

  fail(message, reason) {
    if (message.state === 'pending') Object.assign(message, { state: 'failed', reason });
    return message;
  }

  again(message) {
    return Object.assign(message, { state: 'pending', reason: undefined });
  }

  /** Whether a message that just came is news to somebody who is not looking. */
  isNews({ life, offset, notice }) {
    if (notice) return false;
    if (this.seen?.epoch === this.#position.epoch) return offset > this.seen.offset;
    return this.live || life > 0;
  }

  /** All there is has been seen. */
  see() {
    this.unread = 0;
    this.seen = this.position;
  }

  #insert(message) {
    const { messages } = this;
    let at = messages.length;
    while (at > 0 && isAfter(messages[at - 1], message)) at--;
    messages.splice(at, 0, message);
    this.#byID.set(message.id, message);
    if (messages.length > MOST) this.#byID.delete(messages.shift().id);
    return message;
  }

  /** Anybody may publish anything into the topic, so nothing about data is certain. */
  #read(offset, data, now) {
    const life = this.#life;
    const from = data !== null && typeof data === 'object' ? data : { text: data };
    const string = (value, length) => (typeof value === 'string' ? value.slice(0, length) : '');
    const text = string(from.text, 10_000) || (typeof from.text === 'string' ? '' : JSON.stringify(from.text ?? data));
    return {
      id: from.id ? key(from) : `${life} ${offset}`,
      by: string(from.by, 64),
      name: string(from.name, 32).trim() || 'somebody',
      carrier: string(from.carrier, 16),
      at: Number.isSafeInteger(from.at) && Math.abs(from.at) < 8e15 ? from.at : now,
      text,
      life,
      offset,
      state: 'sent',
    };
  }
}

/** Ids are made by their authors, each for themselves. */
const key = ({ by, id }) => `${by} ${id}`;

function isAfter(a, b) {
  if (a.state !== 'sent') return true;
  return a.life === b.life ? a.offset > b.offset : a.life > b.life;
}

const NAME = /[^\p{L}\p{N}_-]+/gu;

/** The name of a room, as it can stand in an address and be read out on the phone. */
export const roomName = (text) => text.normalize().trim().toLowerCase().replace(NAME, '-').replace(/^-+|-+$/g, '').slice(0, 40);
