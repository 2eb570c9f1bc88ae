const KEEP = 2;

/** A model of XEP-0124 with hold 1, as far as a client that behaves can see it. */
export class BoshServer {
  sessions = new Map();
  /** What a client did that it may not. */
  sins = [];
  wait = 60;
  #clock;
  #bus;
  #count = 0;

  constructor(clock, bus) {
    this.#clock = clock;
    this.#bus = bus;
  }

  restart() {
    for (const session of this.sessions.values()) this.#bus.gone(session);
    this.sessions.clear();
  }

  post(text, answer) {
    const { attributes, messages } = parseBody(text);
    const rid = Number(attributes.rid);
    if (!attributes.sid) return answer(this.#create(rid, attributes));
    const session = this.sessions.get(attributes.sid);
    if (!session) return answer(body({ type: 'terminate', condition: 'item-not-found' }));
    const known = session.seen.get(rid);
    if (known && known !== text) this.sins.push(`rid ${rid} repeated with other content`);
    if (session.answers.has(rid)) return answer(session.answers.get(rid));
    const room = attributes.type === 'terminate' ? 3 : 2;
    if (rid <= session.done || rid > session.done + room) {
      // A copy that the network kept for long may end the session. That is not the client's fault.
      if (!known && rid > session.done) this.sins.push(`rid ${rid} outside of the window after ${session.done}`);
      this.sessions.delete(session.id);
      return answer(body({ type: 'terminate', condition: 'item-not-found' }));
    }
    session.seen.set(rid, text);
    session.open.get(rid)?.answer(body({ type: 'error' }));
    session.open.set(rid, { answer, messages, attributes, taken: session.open.get(rid)?.taken, until: this.#clock.now() + this.wait * 1000 });
    this.#clock.setTimeout(() => this.#serve(session), this.wait * 1000);
    this.#accept(session);
    return this.#serve(session);
  }

  #create(rid, { to, hold, ver, wait }) {
    if (hold !== '1' || ver !== '1.11' || !(wait > 0)) this.sins.push('creation');
    const session = { id: `b${++this.#count}`, to, done: rid, next: rid + 1, open: new Map(), seen: new Map(), answers: new Map(), out: [] };
    session.tell = (value) => {
      session.out.push(JSON.stringify(value).replace(/[\ufffe\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`));
      // What was put together in one go goes out together.
      this.#clock.setTimeout(() => this.#serve(session), 0);
    };
    this.sessions.set(session.id, session);
    const created = { sid: session.id, wait: this.wait, requests: 2, hold: 1, inactivity: 60, ver: '1.11', ack: rid };
    return body(created);
  }

  /** Payloads are taken in the order of the rids. */
  #accept(session) {
    for (let request; (request = session.open.get(session.next)); session.next++) {
      for (const json of request.messages) this.#bus.take(session, JSON.parse(json));
      if (request.attributes.type === 'terminate') this.#terminate(session);
    }
  }

  #terminate(session) {
    this.sessions.delete(session.id);
    this.#bus.gone(session);
    for (const [rid] of [...session.open]) this.#answer(session, rid, { type: 'terminate' });
  }

  #serve(session) {
    for (;;) {
      const rid = session.done + 1;
      const request = session.open.get(rid);
      if (!request || rid >= session.next) return;
      const due = session.out.length || session.open.size > 1 || this.#clock.now() >= request.until;
      if (!due || !this.sessions.has(session.id)) return;
      this.#answer(session, rid, {});
    }
  }

  #answer(session, rid, attributes) {
    const { answer } = session.open.get(rid);
    const text = body(attributes, attributes.type ? [] : session.out.splice(0));
    session.open.delete(rid);
    session.answers.set(rid, text);
    session.answers.delete(rid - KEEP);
    session.done = rid;
    answer(text);
  }
}

function body(attributes, messages = []) {
  const head = Object.entries(attributes).map(([name, value]) => ` ${name}='${value}'`);
  const escaped = messages.map((json) => json.replace(/&/g, '&amp;').replace(/</g, '&lt;'));
  const payloads = escaped.map((json) => `<json xmlns="urn:xmpp:json:0">${json}</json>`);
  return `<body${head.join('')} xmlns='http://jabber.org/protocol/httpbind'>${payloads.join('')}</body>`;
}

function parseBody(text) {
  if (/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]/.test(text) || !text.isWellFormed()) throw new Error('XML cannot carry this');
  const [, head, rest] = /^<body([^>]*)>([^]*)<\/body>$/.exec(text);
  const attributes = Object.fromEntries([...head.matchAll(/ ([\w:]+)='([^']*)'/g)].map(([, name, value]) => [name, unescape(value)]));
  const messages = [...rest.matchAll(/<json xmlns=['"]urn:xmpp:json:0['"]>([^<]*)<\/json>/g)].map(([, json]) => unescape(json));
  return { attributes, messages };
}

function unescape(text) {
  const names = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
  return text.replace(/&(#?)(\w+);/g, (_, number, name) => (number ? String.fromCodePoint(Number(name)) : names[name]));
}

/** As much of a DOMParser as a body needs. */
export class DOMParser {
  parseFromString(text) {
    if (!text.startsWith('<body')) return { documentElement: { localName: 'parsererror' } };
    const { attributes, messages } = parseBody(text);
    const childNodes = messages.map((textContent) => ({ localName: 'json', namespaceURI: 'urn:xmpp:json:0', textContent }));
    const documentElement = {
      localName: 'body',
      namespaceURI: attributes.xmlns,
      getAttribute: (name) => attributes[name] ?? null,
      childNodes,
    };
    return { documentElement };
  }
}
