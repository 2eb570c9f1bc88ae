// BOSH: XEP-0124 1.11 with acks and several streams, and XEP-0206.

import { Channel, StreamEnd, streamEnd } from './channel.mjs';
import { HTTPBIND, STREAMS, XBOSH } from './namespaces.mjs';
import { parse, tag } from './xml.mjs';

/** Milliseconds until the creation, which nobody holds, must be answered, and the end. */
const PATIENCE = 15_000;
const FAREWELL = 3_000;
/** Between repeats of a request: doubled each time. */
const RETRY = { shortest: 300, longest: 10_000 };
/** Shortest time between empty requests that nobody held. */
const REST = 1000;
/** Characters of payload in one request, unless a single stanza is larger. */
const BATCH = 32_768;

/**
 * One session: a sequence of requests that all its streams share. A request that got no answer is repeated, byte for
 * byte, and answers are taken in the order of the requests.
 *
 * `on.request(request)` tells of every new request, whose record goes on changing: rid, body, state ('open',
 * 'waiting' to be repeated, 'answered', 'lost'), firstAt, endedAt, attempts, answer, and the channels that it was for
 * (`channel`) and that it was answered with (`from`). `on.stanza` tells of what the streams carry, `on.end` of the end.
 */
export class BoshSession {
  over = false;
  /** What the server agreed to; undefined until it did. */
  agreed;
  /** The highest rid that the server says it has. */
  acknowledged = 0;
  #url;
  #asked;
  #env;
  #on;
  #sid;
  #rid;
  /** The request whose answer is next. */
  #next;
  #open = new Map();
  #queue = [];
  #channels = [];
  #names = new Map();
  #resting;
  #farewell;
  #closing = false;

  constructor({ url, wait = 60, hold = 1, env, on }) {
    this.#url = url;
    this.#asked = { wait, hold };
    this.#env = env;
    this.#on = on;
    // XEP-0124 §14.1 "a large, random, positive integer"; what is left below 2^53 lasts for ever.
    this.#rid = this.#next = firstRid(env.crypto);
  }

  /** Requests without an answer, oldest first. */
  get open() {
    return [...this.#open.values()];
  }

  /** The rid whose answer is next, and the highest that may be sent before it comes. */
  get window() {
    const first = this.#next;
    return { first, next: this.#rid, last: first + (this.agreed?.requests ?? 1) - 1 };
  }

  /** Whether the server knows several streams (XEP-0124 §16.2). */
  get multiplexed() {
    return this.#channels[0]?.name !== undefined;
  }

  /** Opens a stream: the first creates the session. */
  connect(target) {
    const channel = new Channel(this, target);
    this.#channels.push(channel);
    const { to, lang, xmpp } = channel;
    const attributes = { to, 'xml:lang': lang };
    if (xmpp) Object.assign(attributes, { 'xmpp:version': '1.0', 'xmlns:xmpp': XBOSH });
    if (this.#channels.length === 1) {
      const { wait, hold } = this.#asked;
      const content = 'text/xml; charset=utf-8';
      this.#request({ ...attributes, content, ver: '1.11', wait, hold, ack: 1 }, [], channel, true);
    } else if (this.over) {
      channel.end(new StreamEnd('closed'));
    } else {
      this.#enqueue({ channel, attributes, opens: true });
    }
    return channel;
  }

  send(channel, xml) {
    this.#enqueue({ channel, xml });
  }

  restart(channel) {
    const { to, lang } = channel;
    this.#enqueue({ channel, attributes: { to, 'xml:lang': lang, 'xmpp:restart': 'true', 'xmlns:xmpp': XBOSH } });
  }

  /** Closes one stream; with the last one, the session. */
  close(channel) {
    if (this.#channels.every((other) => other === channel || other.ended)) this.end();
    else this.#enqueue({ channel, attributes: { type: 'terminate' } });
  }

  /** Ends the session with all its streams. */
  end() {
    if (this.over || this.#closing) return;
    this.#closing = true;
    if (!this.#sid) return this.#finish(new StreamEnd('closed'));
    this.#pump();
    this.#request({ type: 'terminate' });
    this.#farewell = this.#env.setTimeout(() => this.#finish(new StreamEnd('closed')), FAREWELL);
  }

  /** The page goes away: says so in a request that outlives it. */
  leave() {
    if (this.over) return;
    if (this.#sid && !this.#closing) {
      const body = this.#body({ type: 'terminate' }, []);
      this.#env.fetch(this.#url, { method: 'POST', body, headers, keepalive: true }).catch(() => {});
    }
    this.#finish(new StreamEnd('closed'));
  }

  #enqueue(item) {
    if (this.over || this.#closing) return;
    this.#queue.push(item);
    queueMicrotask(() => this.#pump());
  }

  /** Sends what there is to send, and sees to it that the server has requests to answer. */
  #pump() {
    if (!this.#sid || this.over) return;
    while (this.#open.size < this.agreed.requests) {
      const batch = this.#batch();
      if (!batch.length) break;
      const [{ channel, attributes = {}, opens }] = batch;
      // XEP-0124 §16.4: once there are several streams, whatever is sent names its own.
      const stream = this.#channels.length > 1 && !opens ? channel.name : undefined;
      this.#request({ ...attributes, stream }, batch.filter(({ xml }) => xml), channel, opens);
    }
    if (this.#closing || this.#resting) return;
    const held = Math.max(this.agreed.hold, 1);
    while (this.#open.size < Math.min(held, this.agreed.requests)) this.#request();
  }

  /** Takes from the queue what one request can carry: payloads of one stream, or attributes of one kind. */
  #batch() {
    this.#queue = this.#queue.filter(({ channel }) => !channel.ended);
    // A stream has no name before the server has answered the request that opens it.
    const first = this.#queue.find(({ channel, opens }) => opens || channel === this.#channels[0] || channel.name);
    if (!first) return [];
    const batch = [first];
    let room = BATCH - (first.xml?.length ?? BATCH);
    for (const item of this.#queue.slice(this.#queue.indexOf(first) + 1)) {
      if (item.channel !== first.channel) continue;
      room -= item.xml?.length ?? BATCH;
      if (room < 0) break;
      batch.push(item);
    }
    this.#queue = this.#queue.filter((item) => !batch.includes(item));
    return batch;
  }

  #body(attributes, payloads) {
    const rid = this.#rid++;
    // XEP-0124 §9.1: left out where all earlier answers have come.
    const ack = this.#next < rid ? this.#next - 1 : undefined;
    const all = { rid, sid: this.#sid, ack, ...attributes, xmlns: HTTPBIND };
    return tag('body', all, ...payloads.map(({ xml }) => xml));
  }

  #request(attributes = {}, payloads = [], channel = undefined, opens = false) {
    const rid = this.#rid;
    const body = this.#body(attributes, payloads);
    const request = { rid, body, payloads: payloads.length, attributes, channel, opens, state: 'open', attempts: 0, repliesWith: [] };
    request.firstAt = this.#env.now();
    this.#open.set(rid, request);
    this.#on.request?.(request);
    for (const { xml } of payloads) this.#on.stanza?.({ direction: 'out', channel, xml, at: request.firstAt });
    this.#post(request);
  }

  /** Sends a request, or sends it again. */
  async #post(request) {
    const { setTimeout, clearTimeout, now, fetch } = this.#env;
    const wait = (this.agreed?.wait ?? 0) * 1000;
    const abort = (request.abort = new AbortController());
    const timer = setTimeout(() => abort.abort(), this.#sid ? Math.max(wait * 1.1, wait + 5000) : PATIENCE);
    Object.assign(request, { state: 'open', sentAt: now(), attempts: request.attempts + 1 });
    try {
      const answer = await fetch(this.#url, { method: 'POST', body: request.body, headers, signal: abort.signal, cache: 'no-store' });
      const text = await answer.text();
      if (this.over || request.abort !== abort) return;
      this.#answered(request, answer, text);
    } catch (error) {
      if (!this.over && request.abort === abort) this.#troubled(request, new StreamEnd('network', error.message));
    } finally {
      clearTimeout(timer);
    }
  }

  #answered(request, { ok, status }, text) {
    // XEP-0124 §17.1: HTTP conditions are for clients and servers of old; else it is a proxy that speaks.
    const fatal = { 400: 'bad-request', 403: 'policy-violation', 404: 'item-not-found' }[status];
    if (fatal && this.agreed?.legacy) return this.#finish(new StreamEnd(fatal, `HTTP ${status}`));
    if (!ok) return this.#troubled(request, new StreamEnd('network', `HTTP ${status}`));
    let answer;
    try {
      answer = parse(text, { stream: STREAMS });
    } catch (error) {
      return this.#troubled(request, new StreamEnd('network', error.message));
    }
    if (!answer.is('body', HTTPBIND)) return this.#troubled(request, new StreamEnd('network', 'not an answer of BOSH'));
    // XEP-0124 §17.3: that request and all before it that have no answer are to be sent again.
    if (answer.attr('type') === 'error') return this.#repeat(request.rid);
    Object.assign(request, { state: 'answered', answer, bytes: text.length, endedAt: this.#env.now() });
    const last = answer.attr('type') === 'terminate' && answer.attr('condition') && !answer.attr('stream');
    if (last) this.#take(request);
    else this.#process();
    return undefined;
  }

  #troubled(request, reason) {
    request.state = 'waiting';
    request.abort?.abort();
    request.abort = undefined; // whatever comes of that one
    request.trouble = reason.message;
    if (!this.#sid) return this.#finish(reason);
    this.#on.trouble?.(reason);
    const pause = Math.min(RETRY.shortest * 2 ** (request.attempts - 1), RETRY.longest);
    request.retry = this.#env.setTimeout(() => this.#post(request), pause / 2 + (pause / 2) * this.#env.random());
    return undefined;
  }

  #repeat(last) {
    for (const request of this.open) {
      if (request.rid > last || request.state === 'waiting' || (request.state === 'answered' && request.rid < last)) continue;
      this.#troubled(request, new StreamEnd('network', 'the server wants it again'));
    }
  }

  #process() {
    let request;
    while (!this.over && (request = this.#open.get(this.#next))?.state === 'answered') {
      this.#open.delete(this.#next++);
      this.#take(request);
    }
    this.#pump();
  }

  #take(request) {
    const { answer, opens } = request;
    const terminate = answer.attr('type') === 'terminate';
    if (!this.#sid && !terminate) this.#created(answer);
    if (opens) this.#opened(request.channel, answer);
    this.acknowledged = Number(answer.attr('ack') ?? request.rid);
    request.repliesWith = answer.elements;

    // XEP-0124 §16.4: payloads that name no stream are the first one's.
    const name = answer.attr('stream');
    const channel = name === undefined ? this.#channels[0] : this.#names.get(name);
    if (!channel && answer.elements.length) return this.#finish(new StreamEnd('item-not-found', 'a stream that was never opened'));
    if (answer.elements.length) request.from = channel;
    for (const element of answer.elements) {
      this.#on.stanza?.({ direction: 'in', channel, xml: element.raw, element, at: request.endedAt });
      channel.deliver(element);
    }
    if (terminate) {
      const reason = this.#reason(answer);
      if (name === undefined) return this.#finish(reason);
      channel?.end(reason);
    }
    // While another request is open, it was that one which had the server answer this at once.
    const fast = request.endedAt - request.sentAt < REST;
    const useless = !terminate && !this.#open.size && !request.payloads && !Object.keys(request.attributes).length && !answer.elements.length;
    if (useless && fast) this.#rest();
    return undefined;
  }

  #reason(answer) {
    const error = answer.child('error', STREAMS);
    if (error) return streamEnd(error);
    const condition = answer.attr('condition') ?? 'closed';
    const uri = answer.child('uri', HTTPBIND)?.text;
    return new StreamEnd(condition, uri);
  }

  #created(answer) {
    const number = (name, otherwise) => Number(answer.attr(name) ?? otherwise);
    this.#sid = answer.attr('sid');
    const hold = number('hold', this.#asked.hold);
    this.agreed = {
      wait: number('wait', this.#asked.wait),
      hold,
      requests: number('requests', hold + 1),
      inactivity: number('inactivity', 0),
      polling: number('polling', 0),
      maxpause: number('maxpause', 0),
      ver: answer.attr('ver') ?? '',
      legacy: answer.attr('ver') === undefined,
      acks: answer.attr('ack') !== undefined,
      from: answer.attr('from') ?? '',
    };
    this.#on.created?.(this.agreed);
  }

  #opened(channel, answer) {
    channel.name = answer.attr('stream');
    if (channel.name !== undefined) this.#names.set(channel.name, channel);
    // XEP-0124 §16.2: without a name in the creation response, the server knows nothing of streams.
    else if (channel !== this.#channels[0]) channel.end(new StreamEnd('feature-not-implemented', 'this server has one stream to a session'));
  }

  #rest() {
    const pause = Math.max(this.agreed.polling * 1000, REST);
    this.#resting ??= this.#env.setTimeout(() => {
      this.#resting = undefined;
      this.#pump();
    }, pause);
  }

  #finish(reason) {
    if (this.over) return;
    this.over = true;
    this.#env.clearTimeout(this.#resting);
    this.#env.clearTimeout(this.#farewell);
    for (const request of this.open) {
      this.#env.clearTimeout(request.retry);
      if (request.state !== 'answered') Object.assign(request, { state: 'lost', endedAt: this.#env.now() });
      request.abort?.abort();
    }
    this.#open.clear();
    for (const channel of this.#channels) channel.end(reason);
    this.#on.end?.(reason);
  }
}

const headers = { 'Content-Type': 'text/xml; charset=utf-8' };

function firstRid(crypto) {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high % 2 ** 19) * 2 ** 32 + low + 1;
}
