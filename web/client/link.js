import { MochiError } from './error.js';
import { longpoll } from './carriers/longpoll.js';
import { sse } from './carriers/sse.js';
import { websocket } from './carriers/websocket.js';

const carriers = { longpoll, sse, websocket };
/** Milliseconds within which a connection must have spoken. Proxies that buffer a stream give no error, only silence. */
const FIRST_WORD = { websocket: 5000, sse: 5000, longpoll: 15_000 };
/** A watch that goes off this late was asleep with the whole machine: nobody knows who was silent. */
const SLEPT = 5000;

/** One attachment of a session to a carrier, from the first try to its loss. */
export class Link {
  /** Number of the last message of ours sent here, for a carrier that also sends. */
  sent = 0;
  /** Number of the next message of the server, where it does not say. */
  next;
  openedAt = 0;
  /** Its number at the server: the highest is served. */
  number = 0;
  done = false;
  #wire;
  #watch;
  #due = 0;
  #waiting;

  /** @param waiting {resolve, reject} of somebody who waits for this attachment */
  constructor(session, carrier, waiting) {
    this.session = session;
    this.carrier = carrier;
    this.next = session.inbox.handled + 1;
    this.#waiting = waiting;
  }

  async start() {
    this.#expect(FIRST_WORD[this.carrier]);
    try {
      if (this.session.unsigned) await this.session.sign();
      if (this.done) return;
      // Only a WebSocket can create the session by itself, and it must not while a post does.
      if (this.carrier !== 'websocket' || this.session.creating) await this.session.create();
      if (!this.done) this.#wire = carriers[this.carrier](this);
    } catch (error) {
      this.lost(error);
    }
  }

  /** The object that attaches, or creates. It is made for each connection anew: its number must rise. */
  hello() {
    const hello = this.session.hello(this);
    this.next = (hello.ack ?? 0) + 1;
    return hello;
  }

  /** An object of so many characters; 0: who cares does not say. */
  receive(object, size = 0) {
    if (this.done) return;
    if (!object) return this.lost(new MochiError('http', 'not an object of push.v1'));
    this.session.receive(this, object, size);
    if (!this.done) this.#expect(2 * this.#period());
  }

  opened() {
    this.openedAt = this.session.env.now();
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Milliseconds since it began to work. */
  get age() {
    return this.openedAt ? this.session.env.now() - this.openedAt : 0;
  }

  get duplex() {
    return !!this.#wire?.send;
  }

  send(text) {
    this.#wire.send(text);
  }

  lost(error) {
    if (this.done) return;
    this.close(error);
    this.session.lost(this, error);
  }

  close(error = new MochiError('superseded')) {
    if (this.done) return;
    this.done = true;
    this.session.env.clearTimeout(this.#watch);
    this.#wire?.close();
    this.#waiting?.reject(error);
  }

  /** Looks at the clock now: after a sleep of the machine the watch goes off late. */
  check() {
    if (this.session.env.now() >= this.#due) this.#silent();
  }

  #silent() {
    const slept = this.session.env.now() > this.#due + SLEPT;
    this.lost(new MochiError(slept ? 'lost' : 'silent', `${this.carrier} is silent`));
  }

  #expect(ms) {
    const { env } = this.session;
    env.clearTimeout(this.#watch);
    this.#due = env.now() + ms;
    this.#watch = env.setTimeout(() => this.#silent(), ms);
  }

  #period() {
    const { wait, ping } = this.session.agreed;
    return Math.max(this.carrier === 'longpoll' ? wait : ping, 2) * 1000;
  }
}
