import { CLIENT, STREAM_ERRORS, STREAMS } from './namespaces.mjs';
import { parse } from './xml.mjs';

/** Why a stream or a session is over. */
export class StreamEnd extends Error {
  /**
   * @param {string} condition of RFC 6120 §4.9.3 or XEP-0124 §17.2; 'closed' where all is well, 'network' where
   *   nobody answered
   * @param {string} [text] the other side's own words
   */
  constructor(condition, text) {
    super(text ? `${condition}: ${text}` : condition);
    this.condition = condition;
  }
}

/** What a <stream:error/> says. */
export function streamEnd(error) {
  const of = (element) => element.ns === STREAM_ERRORS && element.name !== 'text';
  const condition = error.elements.find(of)?.name ?? 'undefined-condition';
  return new StreamEnd(condition, error.child('text', STREAM_ERRORS)?.text);
}

/**
 * One stream between this page and a server or another backend, over any carrier. Whoever negotiates reads with
 * next(); afterwards onelement gets what comes.
 */
export class Channel {
  /** The name of XEP-0124 §16, where the carrier has several streams. */
  name;
  /** Why it is over, once it is. */
  ended;
  /** Resolves to the same, then. */
  closed;
  #carrier;
  #unread = [];
  #reader;
  #onelement;
  #close;

  /** @param {{to: string, lang?: string, xmpp?: boolean}} target not XMPP: no versions, restarts, features */
  constructor(carrier, { to, lang = 'en', xmpp = true }) {
    this.#carrier = carrier;
    Object.assign(this, { to, lang, xmpp });
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  /** @throws {import('./xml.mjs').XMLError} if it is not one element */
  send(xml) {
    if (!this.ended) this.#carrier.send(this, standalone(xml));
  }

  /** Begins the stream again, as after SASL. */
  restart() {
    if (!this.ended) this.#carrier.restart(this);
  }

  close() {
    if (!this.ended) this.#carrier.close(this);
  }

  /** The next element; rejects with a StreamEnd when there will be none. */
  next() {
    if (this.#unread.length) return Promise.resolve(this.#unread.shift());
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  set onelement(handler) {
    this.#onelement = handler;
    for (const element of this.#unread.splice(0)) handler(element);
  }

  /** For carriers. */
  deliver(element) {
    if (this.ended) return;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader.resolve(element);
    else if (this.#onelement) this.#onelement(element);
    else this.#unread.push(element);
  }

  /** For carriers. */
  end(reason) {
    if (this.ended) return;
    this.ended = reason;
    this.#reader?.reject(reason);
    this.#close(reason);
  }
}

/**
 * What people write as if it were inside of a stream (RFC 6120 §4.8.3) needs its namespace in BOSH (XEP-0206 §2) and
 * in WebSocket messages (RFC 7395 §3.3.3).
 */
export function standalone(xml) {
  const text = xml.trim();
  const root = parse(text, { '': CLIENT, stream: STREAMS });
  if (root.qname.includes(':') || root.attr('xmlns') !== undefined) return text;
  return text.replace(root.qname, `${root.qname} xmlns='${CLIENT}'`);
}
