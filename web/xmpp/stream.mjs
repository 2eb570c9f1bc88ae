// What a client does on a stream before it can talk, RFC 6120 §6 and §7, and the queries that it asks afterwards.

import { StreamEnd } from './channel.mjs';
import { BIND, CLIENT, SASL, SESSION, STREAMS } from './namespaces.mjs';
import { AuthenticationError, base64, mechanism, unbase64 } from './sasl.mjs';
import { escape, tag } from './xml.mjs';

const PATIENCE = 30_000;

/** An <iq type='error'/>. */
export class StanzaError extends Error {
  constructor(iq) {
    const error = iq.child('error');
    const [condition] = error?.elements ?? [];
    super(error?.child('text')?.text || condition?.name || 'undefined-condition');
    this.condition = condition?.name ?? 'undefined-condition';
  }
}

/** A stream of XMPP whose user has logged in. */
export class XMPPStream {
  /** The address that the server gave us. */
  jid = '';
  /** How the user was authenticated. */
  mechanism = '';
  /** Gets what is not the answer to a query. */
  onstanza = () => {};
  #channel;
  #env;
  #queries = new Map();
  #count = 0;

  /**
   * Logs in.
   *
   * @param {import('./channel.mjs').Channel} channel a stream that nothing was sent on
   * @param {(step: string) => void} [onstep] what is being done, for people
   * @throws {StreamEnd | AuthenticationError | StanzaError}
   */
  static async login(channel, { local, password, resource, env, onstep = () => {} }) {
    const stream = new XMPPStream(channel, env);
    onstep('waiting for features');
    const offer = await stream.#features();
    await stream.#authenticate(offer, { username: local, password }, onstep);
    channel.restart();
    await stream.#bind(await stream.#features(), resource, onstep);
    return stream;
  }

  constructor(channel, env) {
    this.#channel = channel;
    this.#env = env;
  }

  send(xml) {
    this.#channel.send(xml);
  }

  /**
   * Asks, and resolves to the <iq/> of the answer.
   *
   * @throws {StanzaError | StreamEnd}
   */
  query(type, payload, to) {
    const id = `q${++this.#count}-${this.#env.random().toString(36).slice(2, 8)}`;
    return new Promise((resolve, reject) => {
      const timer = this.#env.setTimeout(() => this.#settle(id, reject, new StreamEnd('network', 'no answer to a query')), PATIENCE);
      this.#queries.set(id, { resolve, reject, timer });
      this.send(tag('iq', { xmlns: CLIENT, type, id, to }, payload));
    });
  }

  #settle(id, settle, value) {
    this.#env.clearTimeout(this.#queries.get(id).timer);
    this.#queries.delete(id);
    settle(value);
  }

  async #features() {
    const element = await this.#channel.next();
    if (!element.is('features', STREAMS)) throw new StreamEnd('unsupported-stanza-type', `${element.qname} instead of features`);
    return element;
  }

  async #authenticate(features, credentials, onstep) {
    const offered = features.child('mechanisms', SASL)?.elements.map(({ text }) => text.trim()) ?? [];
    const sasl = mechanism(offered, credentials, this.#env.crypto);
    this.mechanism = sasl.name;
    onstep(`authenticating with ${sasl.name}`);
    this.send(tag('auth', { xmlns: SASL, mechanism: sasl.name }, base64(await sasl.initial())));
    for (;;) {
      const answer = await this.#channel.next();
      // RFC 6120 §6.4.2: "=" stands for no data.
      const data = () => unbase64(answer.text.trim() === '=' ? '' : answer.text);
      if (answer.is('success', SASL)) return sasl.verify(data());
      if (answer.is('challenge', SASL)) this.send(tag('response', { xmlns: SASL }, base64(await sasl.respond(data()))));
      else if (answer.is('failure', SASL)) throw failure(answer);
      else throw new AuthenticationError('malformed-request', `${answer.qname} in the middle of SASL`);
    }
  }

  async #bind(features, resource, onstep) {
    onstep('binding a resource');
    this.#channel.onelement = (element) => this.#take(element);
    this.#channel.closed.then((reason) => this.#abandon(reason));
    const wish = resource ? tag('resource', {}, escape(resource)) : '';
    const answer = await this.query('set', tag('bind', { xmlns: BIND }, wish));
    this.jid = answer.child('bind', BIND)?.child('jid')?.text ?? '';
    // RFC 3921 §3, of old servers; RFC 6121 has servers that offer it say <optional/>.
    const session = features.child('session', SESSION);
    if (session && !session.child('optional')) await this.query('set', tag('session', { xmlns: SESSION }));
  }

  #take(element) {
    // Old connection managers leave the namespace out (XEP-0206 §2).
    const answers = element.name === 'iq' && ['result', 'error'].includes(element.attr('type'));
    const query = answers && element.attr('id');
    if (!query || !this.#queries.has(query)) return this.onstanza(element);
    const { resolve, reject } = this.#queries.get(query);
    if (element.attr('type') === 'result') return this.#settle(query, resolve, element);
    return this.#settle(query, reject, new StanzaError(element));
  }

  #abandon(reason) {
    for (const [id, { reject }] of this.#queries) this.#settle(id, reject, reason);
  }
}

function failure(answer) {
  const text = answer.child('text', SASL)?.text;
  const condition = answer.elements.find(({ name }) => name !== 'text')?.name ?? 'not-authorized';
  return new AuthenticationError(condition, text ? `${condition}: ${text}` : condition);
}
