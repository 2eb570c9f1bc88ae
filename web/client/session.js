import { Attachment } from './attachment.js';
import { MochiError } from './error.js';
import { exchange, refusal } from './http.js';
import { Inbox, Outbox, byteLength } from './lines.js';
import { Rests } from './rest.js';
import { Uplink } from './uplink.js';

/** Milliseconds that the creation may take. */
const PATIENCE = 15_000;
/** More polls than there can be while another carrier is tried. */
const GAP = 1_000_000;
/** What these errors say of a session is final. */
const FINAL = ['gone', 'ahead', 'forbidden'];
/** What these say of a token is so until there is another. */
const REFUSED = ['unauthorized', 'expired'];

/**
 * One session of push.v1 on whichever carrier works (docs/push-v1.md), from its creation to its end. It never gives
 * up by itself; the server ends it, or `close`.
 *
 * It tells its owner through `on`: `open(resumed)`, `state(state, carrier, error)`, `message(value)` which may give a
 * promise that does not reject, `save()`, `refused(json)`, `trouble(error)`,
 * `gone({code, message, retry, unsent})`.
 */
export class PushSession {
  over = false;
  /** Whether it attached yet: only then can messages be sent. */
  usable = false;
  /** Seconds that a poll is held; undefined: as long as agreed. */
  hold;
  #to;
  #token;
  #signature;
  #attach;
  #attachment;
  #uplink;
  #resumed;
  #creating;
  #rests;
  /** The link that is attaching, and what it acknowledges. */
  #attaching;
  #attachingAck = 0;

  /** @param saved the `snapshot` from before the page was reloaded */
  constructor({ env, urls, to, token, choice, on }, saved) {
    Object.assign(this, { env, urls, on });
    this.#to = to;
    this.#token = token;
    this.#resumed = !!saved;
    this.#attach = saved?.attach ?? 0;
    this.name = saved?.name;
    this.user = saved?.user;
    this.agreed = saved?.agreed ?? agreed({});
    this.inbox = new Inbox(saved?.ack);
    this.outbox = new Outbox(saved?.acked, saved?.out);
    this.#attachment = new Attachment(this, choice);
    this.#uplink = new Uplink(this);
    this.#rests = new Rests(env);
  }

  start() {
    this.#attachment.connect();
  }

  /** Whether the server has all that was sent. */
  get idle() {
    return this.outbox.empty;
  }

  /** @param {string} json a message; one that the server would not take is refused at once */
  send(json) {
    if (byteLength(json) > this.room) throw new MochiError('too-big', `larger than ${this.room} bytes`);
    this.outbox.add(json);
    // What a script of the page sends in one go travels together.
    queueMicrotask(() => this.#pump());
  }

  get backlog() {
    return this.outbox.backlog;
  }

  /** A message is not to be sent, if that is not too late. */
  withdraw(json) {
    this.outbox.withdraw(json);
  }

  use(carrier) {
    return this.#attachment.use(carrier);
  }

  wake() {
    this.#attachment.wake();
    this.#uplink.wake();
  }

  /** Ends the session, after what is still to be sent. It works while the page goes away. */
  close() {
    if (this.over) return;
    const { link } = this;
    const batch = this.outbox.batch(this.outbox.acked, Infinity, this.room) ?? {};
    const ending = this.name && this.object({ ...this.name, end: true }, batch);
    if (link?.duplex && !this.urls.longpoll) link.send(ending);
    this.#stop();
    if (ending && this.urls.longpoll) this.#postLast(ending);
  }

  /** Stops, without a word to the server. */
  quit() {
    this.#stop();
  }

  /** What a page needs to take the session up after a reload. */
  get snapshot() {
    const { name, agreed, inbox, outbox } = this;
    const numbers = { attach: this.#attach, ack: inbox.handled, acked: outbox.acked };
    return name && { name, user: this.user, agreed, ...numbers, out: outbox.unconfirmed };
  }

  get link() {
    return this.#attachment.link;
  }

  get carrier() {
    return this.link?.carrier;
  }

  // ---- for the links

  /** Whether a token is to be had before the first object of this page. */
  get unsigned() {
    return !this.usable && !!this.#token;
  }

  async sign() {
    this.#signature = await this.#token.get();
  }

  /** Whether a post that makes the session is under way. */
  get creating() {
    return !!this.#creating;
  }

  /** Makes the session by a post, unless there is one. Its messages wait: a creation repeated would repeat them. */
  create() {
    if (this.name) return undefined;
    this.#creating ??= this.#create().finally(() => (this.#creating = undefined));
    return this.#creating;
  }

  /** The object that attaches. Its number is saved before it is used: one used twice would attach nothing. */
  hello(link) {
    const { moving } = this.#attachment;
    // While another carrier is tried the polls go on, below the number that it has: room for them is left there.
    if (moving && link === this.link) link.number++;
    else link.number = this.#attach += moving ? GAP : 1;
    if (!this.name) return this.#creation();
    if (link.number === this.#attach) this.#attaches(link);
    const token = this.usable ? undefined : this.#signature;
    return { ...this.name, token, attach: link.number, ack: this.#acknowledge() };
  }

  /**
   * What we can acknowledge now. If an acknowledgement overtook an attachment that says less, that one would come too
   * late to be served (docs/push-v1.md, rule 5). So none goes beyond it until it is answered.
   */
  get ack() {
    const free = !this.#attaching || this.#attaching.done;
    return free ? this.inbox.handled : this.#attachingAck;
  }

  jump(numbers) {
    this.#attach += numbers;
  }

  receive(link, object, size) {
    if (object.error) return link.lost(refusal(object));
    if (object.session && !this.name) this.#created(object);
    this.#confirm(object.ack);
    if (this.over) return;
    if (object.replaced) return link.lost(new MochiError('replaced', 'another connection took over'));
    if (link === this.#attaching) this.#attaching = undefined;
    if (!object.end) this.#attachment.spoke(link);
    this.#uplink.heard(size);
    this.#take(link, object);
    if (object.end) this.finish(object.end);
    else this.#uplink.handled();
    this.#pump();
  }

  lost(link, error) {
    this.#attachment.lost(link, error);
  }

  /** Resolves when the handlers have caught up, or after a while. */
  rest(ms) {
    return this.#rests.take(ms);
  }

  // ---- for the attachment

  attached(link) {
    this.on.state('open', link.carrier);
    if (this.usable) return;
    this.usable = true;
    this.on.open(this.#resumed);
  }

  troubled(error) {
    this.#confirm(error.ack);
    if (this.over) return;
    const { code, message } = error;
    if (error.status === 413 || code === 'too-big') this.#tooBig();
    const final = REFUSED.includes(code) && this.#token && !this.#token.renewable;
    if (this.name ? final || FINAL.includes(code) : final || (this.#token && code === 'forbidden')) this.finish({ code, message, retry: !!this.name });
    else if (code !== 'replaced') this.on.trouble(error);
  }

  finish({ code, message, retry }) {
    if (this.over) return;
    this.#stop();
    this.on.gone({ code, message, retry: !!retry, unsent: this.outbox.unconfirmed });
  }

  // ---- for the uplink

  /** The text of an object with our acknowledgement and a batch of messages. Everything in it is saved before. */
  object(head, { first, messages }) {
    this.on.save();
    const text = JSON.stringify({ ...head, ack: this.#acknowledge(), first });
    return messages ? `${text.slice(0, -1)},"messages":[${messages.join()}]}` : text;
  }

  /** Bytes for the messages of one object: the rest of it has names, numbers and punctuation. */
  get room() {
    return this.agreed.limits.body - 200 - byteLength(JSON.stringify(this.name ?? ''));
  }

  answered({ ack, end }) {
    this.#confirm(ack);
    if (end) this.finish(end);
  }

  // ----

  #attaches(link) {
    this.on.save();
    this.#attaching = link;
    this.#attachingAck = this.inbox.handled;
  }

  #confirm(ack) {
    if (this.over) return;
    // Somebody else uses our numbers: another page with a copy of our storage, or we after a restored one.
    if (ack > this.outbox.last) this.finish({ code: 'replaced', message: 'used elsewhere', retry: true });
    else this.outbox.confirm(ack);
  }

  #acknowledge() {
    this.#uplink.acknowledged(this.ack);
    return this.ack;
  }

  async #create() {
    const text = JSON.stringify(this.#creation());
    const object = await exchange(this.env, this.urls.longpoll, text, { timeout: PATIENCE });
    if (this.name) return;
    this.#created(object);
    // The page closed the session while this was under way.
    if (this.over) this.#postLast(this.object({ ...this.name, end: true }, {}));
  }

  #creation() {
    return { to: this.#to || undefined, token: this.#signature };
  }

  #created({ session, key, user, wait, inactivity, ping, limits }) {
    if (!session) throw new MochiError('http', 'no session in the answer');
    this.name = { session, key };
    this.user = user;
    this.agreed = agreed({ wait, inactivity, ping, limits });
    this.on.save();
  }

  #take(link, { first, messages = [] }) {
    link.next = first ?? link.next;
    for (const value of messages) {
      if (this.over) return;
      if (link.next > this.inbox.received + 1) return link.lost(new MochiError('lost', 'messages are missing'));
      const n = link.next++;
      if (this.inbox.take(n)) this.#deliver(n, value);
    }
  }

  #deliver(n, value) {
    const handled = () => {
      this.inbox.settle(n);
      if (this.over) return;
      this.#uplink.handled();
      if (this.inbox.handled === this.inbox.received) this.#rests.end();
    };
    const promise = this.on.message(value);
    if (promise) promise.then(handled);
    else handled();
  }

  /** Something on the way takes less than the server said. */
  #tooBig() {
    const { limits } = this.agreed;
    const { first, messages } = this.outbox.batch(this.outbox.acked, limits.window, this.room) ?? {};
    if (messages?.length > 1) limits.body = Math.max(limits.body / 2, 1024);
    else if (messages) this.on.refused(this.outbox.blank(first));
  }

  #pump() {
    if (!this.over) this.#uplink.pump();
  }

  #postLast(text) {
    // Browsers let a page that goes away send 64 KiB at most.
    const keepalive = byteLength(text) < 60_000;
    exchange(this.env, this.urls.longpoll, text, { keepalive }).catch(() => {});
  }

  #stop() {
    this.over = true;
    this.#uplink.stop();
    this.#attachment.stop();
    this.#rests.end();
  }
}

function agreed({ wait = 25, inactivity = 60, ping = 25, limits }) {
  return { wait, inactivity, ping, limits: { body: 65_536, window: 128, outbox: 1_048_576, ...limits } };
}
