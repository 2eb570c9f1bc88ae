import { exchange } from './http.js';
import { Backoff } from './backoff.js';
import { MochiError } from './error.js';

/** Milliseconds that a post of messages may take: the server delays its answer while its backend is behind. */
const PATIENCE = 30_000;
/**
 * An acknowledgement that rides on nothing goes alone after this time, this many messages, or this part of what the
 * server keeps: it costs as much as a message, and only frees what the server keeps until then.
 */
const ACK_DELAY = 5000;
const ACK_COUNT = 64;
const ACK_PART = 1 / 4;

/** Sends what the session has to say: on the link if that goes both ways, else by posts beside it. */
export class Uplink {
  #session;
  #retry;
  #posting = false;
  #ackSent = 0;
  #ackDue = false;
  #ackTimer;
  #unacknowledged = 0;

  constructor(session) {
    this.#session = session;
    this.#retry = new Backoff(session.env);
  }

  pump() {
    const { link } = this.#session;
    if (!link) return;
    if (link.duplex) this.#overLink(link);
    else if (!this.#posting) this.#post();
  }

  /** So many characters came from the server. */
  heard(size) {
    this.#unacknowledged += size;
  }

  /** A handler finished. Long-polls carry the acknowledgement by themselves. */
  handled() {
    const { env, link, ack, agreed } = this.#session;
    if (!link || link.carrier === 'longpoll') return;
    const much = ack - this.#ackSent >= ACK_COUNT || this.#unacknowledged > agreed.limits.outbox * ACK_PART;
    if (much && ack > this.#ackSent) this.#ackNow();
    else if (ack > this.#ackSent) this.#ackTimer ??= env.setTimeout(() => this.#ackNow(), ACK_DELAY);
  }

  /** The acknowledgement was in an object that the session made. */
  acknowledged(ack) {
    this.#ackSent = ack;
    this.#ackDue = false;
    this.#unacknowledged = 0;
    this.#session.env.clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
  }

  wake() {
    this.#retry.wake();
  }

  stop() {
    this.#retry.stop();
    this.#session.env.clearTimeout(this.#ackTimer);
  }

  #ackNow() {
    this.#ackDue = true;
    this.#ackTimer = undefined;
    this.pump();
  }

  #batch(after) {
    const { outbox, agreed, room } = this.#session;
    const batch = outbox.batch(after, agreed.limits.window, room);
    return batch || this.#ackDue ? (batch ?? {}) : undefined;
  }

  #overLink(link) {
    const { outbox } = this.#session;
    for (let batch; (batch = this.#batch(Math.max(link.sent, outbox.acked))); ) {
      link.send(this.#session.object({}, batch));
      link.sent = batch.last ?? link.sent;
    }
  }

  async #post() {
    const session = this.#session;
    const batch = this.#batch(session.outbox.acked);
    if (!batch) return;
    this.#posting = true;
    try {
      const text = session.object(session.name, batch);
      session.answered(await exchange(session.env, session.urls.longpoll, text, { timeout: PATIENCE }));
      if (session.over) return;
      if (batch.last > session.outbox.acked) throw new MochiError('http', 'messages were not acknowledged');
      this.#retry.reset();
    } catch (error) {
      session.troubled(error);
      if (session.over) return;
      this.#ackDue = true;
      // The posts have a back-off of their own: polls may work well while posts do not.
      this.#retry.again(() => this.#resume(), error.retryAfter);
      return;
    }
    this.#resume();
  }

  #resume() {
    this.#posting = false;
    this.pump();
  }
}
