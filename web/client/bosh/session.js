import { makeBackoff } from '../backoff.js';
import { MochiError } from '../error.js';
import { post } from '../http.js';
import { unwrap, wrap } from './body.js';

const WAIT = 60;
/** Milliseconds for the creation, which nobody holds. */
const PATIENCE = 15_000;
/** Shortest time between polls that nobody held, where the server does not say. */
const REST = 1000;
/** Characters of payload in one body, unless a single message is larger. */
const BATCH = 32_768;
/** A new session would fare no better. */
const HOPELESS = ['host-gone', 'host-unknown', 'improper-addressing', 'see-other-uri'];

/**
 * One session of XEP-0124. It has the face of a session of push.v1, but is bound to its carrier: a request that got no answer
 * is repeated, byte for byte, until it gets one, and answers are taken in the order of the requests.
 */
export class BoshSession {
  carrier = 'bosh';
  over = false;
  usable = false;
  #url;
  #to;
  #token;
  #type;
  #sid;
  #rid;
  /** The request whose answer is next. */
  #next;
  #agreed = { wait: 0, requests: 1, polling: 0, legacy: false };
  #open = new Map();
  #queue = [];
  #resting;
  #signature;
  #working = false;

  constructor({ env, urls, to, token, on }) {
    Object.assign(this, { env, on });
    this.#url = urls.bosh;
    this.#to = to || undefined;
    this.#token = token;
    this.#type = contentType(urls.bosh, env.base);
    // XEP-0124 §14.1 "a large, random, positive integer"; what is left below 2^53 lasts for ever.
    this.#rid = this.#next = Math.floor(env.random() * 2 ** 51) + 1;
  }

  async start() {
    this.on.state('connecting', 'bosh');
    if (this.#token) await this.#sign();
    if (this.over) return;
    const lang = this.env.document?.documentElement?.lang || 'en';
    this.#request({ to: this.#to, 'xml:lang': lang, ver: '1.11', wait: WAIT, hold: 1, ack: 1 });
  }

  get backlog() {
    const all = this.#unconfirmed;
    return { count: all.length, bytes: all.join('').length };
  }

  /** A body may not change, so it is too late for what is in one. */
  withdraw(json) {
    const at = this.#queue.indexOf(json);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  send(json) {
    this.#queue.push(json);
    queueMicrotask(() => this.#pump());
  }

  wake() {
    for (const request of this.#open.values()) request.retry.wake();
  }

  /** Requests under way stay so: the server has to see them before this last one. */
  close() {
    if (this.over) return;
    if (this.#sid) {
      const body = this.#body({ type: 'terminate' }, this.#queue);
      post(this.env, this.#url, body, { headers: { 'Content-Type': this.#type }, keepalive: body.length < 20_000 }).catch(() => {});
    }
    this.#stop();
  }

  async #sign() {
    try {
      this.#signature = await this.#token.get();
    } catch ({ code, message }) {
      this.#stop();
      this.on.gone({ code, message, retry: true, unsent: this.#unconfirmed });
    }
  }

  get #unconfirmed() {
    return [...this.#open.values()].flatMap((request) => request.messages).concat(this.#queue);
  }

  #stop() {
    this.over = true;
    this.env.clearTimeout(this.#resting);
    for (const request of this.#open.values()) request.retry.stop();
  }

  #body(attributes, messages) {
    const rid = this.#rid++;
    // XEP-0124 §9.2: said only while an earlier answer is outstanding.
    const ack = this.#next < rid ? this.#next - 1 : undefined;
    return wrap({ rid, sid: this.#sid, ack, ...attributes }, messages);
  }

  #request(attributes = {}, messages = []) {
    const rid = this.#rid;
    const body = this.#body(attributes, messages);
    const request = { rid, body, messages, retry: makeBackoff(this.env) };
    this.#open.set(rid, request);
    this.#post(request);
  }

  /** Sends a request, or sends it again. */
  async #post(request) {
    const abort = new AbortController();
    const wait = this.#agreed.wait * 1000;
    const timeout = this.#sid ? Math.max(wait * 1.1, wait + 2000) : PATIENCE;
    request.startedAt = this.env.now();
    try {
      const headers = { 'Content-Type': this.#type };
      if (!this.#sid && this.#signature) headers.Authorization = `Bearer ${this.#signature}`;
      const answer = await post(this.env, this.#url, request.body, { abort, timeout, headers });
      if (!answer.ok) throw new MochiError('http', `${this.#url}: HTTP ${answer.status}`, answer);
      request.answer = unwrap(this.env.DOMParser, answer.text);
      if (!request.answer) throw new MochiError('http', `${this.#url}: not a body of BOSH`);
    } catch (error) {
      if (!this.over) this.#troubled(request, error);
      return;
    }
    if (this.over) return;
    // XEP-0124 §17.3: repeat that request and all before it that have no answer.
    const { type, condition } = request.answer;
    if (type === 'error') this.#repeat(request.rid);
    // The session is gone, and with it what the earlier requests could be answered.
    else if (type === 'terminate' && condition) this.#finish(condition);
    else this.#process();
  }

  /** Between two who speak BOSH an HTTP error is a proxy's, and the session may well be alive (XEP-0124 §17.1). */
  #troubled(request, error) {
    const { status } = error;
    if (status === 413) return this.#tooBig(request);
    if (this.#token && !this.#sid && [401, 403].includes(status)) return this.#refused(status);
    if (this.#agreed.legacy && [400, 403, 404].includes(status)) return this.#finish('item-not-found');
    this.on.trouble(error);
    if (this.#working) this.on.state('reconnecting', 'bosh', error);
    this.#working = false;
    request.retry.plan(() => this.#post(request), error.retryAfter);
  }

  /** The server does not take our token. */
  #refused(status) {
    const [code, retry] = status === 401 ? ['unauthorized', this.#token.renewable] : ['forbidden', false];
    const unsent = this.#unconfirmed;
    this.#stop();
    this.on.gone({ code, message: code, retry, unsent });
  }

  #repeat(last) {
    for (const request of this.#open.values()) {
      if (request.rid > last || (request.answer && request.rid < last) || request.retry.waiting) continue;
      request.answer = undefined;
      request.retry.plan(() => this.#post(request));
    }
  }

  /** A body may not change, so these messages can never pass in this session. */
  #tooBig(request) {
    for (const json of request.messages) this.on.refused(json);
    request.messages = [];
    this.#finish('too-big');
  }

  #process() {
    let request;
    while ((request = this.#open.get(this.#next))?.answer) {
      this.#open.delete(this.#next++);
      this.#take(request);
      if (this.over) return;
    }
    this.#pump();
  }

  #take({ answer, messages, startedAt }) {
    if (!this.#working) this.#works(answer);
    for (const value of answer.messages) {
      if (!this.over) this.on.message(value);
    }
    if (this.over) return;
    this.on.save();
    if (answer.type === 'terminate') return this.#finish(answer.condition);
    // While another request is open, it was that one which had the server answer this at once.
    const useless = !this.#open.size && !messages.length && !answer.messages.length && this.env.now() - startedAt < REST;
    if (useless && this.usable) this.#rest();
    if (this.#sid && !this.usable) {
      this.usable = true;
      this.on.open(false);
    }
  }

  #works({ sid, wait, requests, polling, ver, type }) {
    if (type === 'terminate') return;
    this.#working = true;
    if (!this.#sid) {
      this.#sid = sid;
      this.#agreed = { wait: +(wait ?? WAIT), requests: +(requests ?? 2), polling: +(polling ?? 0), legacy: !ver };
    }
    this.on.state('open', 'bosh');
  }

  #rest() {
    const ms = Math.max(this.#agreed.polling * 1000, REST);
    this.#resting ??= this.env.setTimeout(() => {
      this.#resting = undefined;
      this.#pump();
    }, ms);
  }

  /** Sends what there is to send, and sees to it that the server always has a request to answer. */
  #pump() {
    if (!this.usable || this.over) return;
    while (this.#queue.length && this.#open.size < this.#agreed.requests) this.#request({}, this.#batch());
    if (!this.#open.size && !this.#resting) this.#request();
  }

  #batch() {
    let room = BATCH - this.#queue[0].length;
    let count = 1;
    while (count < this.#queue.length && (room -= this.#queue[count].length) >= 0) count++;
    return this.#queue.splice(0, count);
  }

  #finish(condition = 'normal') {
    const unsent = this.#unconfirmed;
    this.#stop();
    this.on.gone({ code: condition, message: condition, retry: !HOPELESS.includes(condition), unsent });
  }
}

/** XEP-0124 wants text/xml. To another origin that costs a preflight for each request, so there it is text/plain. */
function contentType(path, base) {
  const foreign = base && new URL(path, base).origin !== new URL(base).origin;
  return `text/${foreign ? 'plain' : 'xml'}; charset=utf-8`;
}
