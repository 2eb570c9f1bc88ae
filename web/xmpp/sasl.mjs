// SASL: SCRAM (RFC 5802, RFC 7677) where the browser has WebCrypto, else PLAIN (RFC 4616).

/** Best first. */
const SCRAM = { 'SCRAM-SHA-256': 'SHA-256', 'SCRAM-SHA-1': 'SHA-1' };
/** RFC 5802 §5.1 asks for 4096 at least; who asks for millions wants our CPU. */
const MOST_ITERATIONS = 1_000_000;

export class AuthenticationError extends Error {
  constructor(condition, message = condition) {
    super(message);
    this.condition = condition;
  }
}

/**
 * Picks the mechanism that keeps the password best.
 *
 * @param {string[]} offered
 * @param {{username: string, password: string}} credentials
 * @param {Crypto} crypto its subtle is missing in pages that came over plain HTTP, localhost excepted
 */
export function mechanism(offered, credentials, crypto) {
  if (crypto.subtle) {
    const name = Object.keys(SCRAM).find((known) => offered.includes(known));
    if (name) return new Scram(name, credentials, crypto);
  }
  if (offered.includes('PLAIN')) return new Plain(credentials);
  const why = crypto.subtle ? 'is spoken here' : 'is spoken here without WebCrypto, which only HTTPS and localhost have';
  throw new AuthenticationError('invalid-mechanism', `none of ${offered.join(', ') || 'no mechanisms'} ${why}`);
}

/** One message, which has the password in it. */
class Plain {
  name = 'PLAIN';
  #message;

  constructor({ username, password }) {
    this.#message = `\0${username}\0${password}`;
  }

  async initial() {
    return utf8(this.#message);
  }

  async respond() {
    throw new AuthenticationError('malformed-request', 'PLAIN knows no challenges');
  }

  async verify() {}
}

class Scram {
  #hash;
  #subtle;
  #username;
  #password;
  #nonce;
  #first;
  #serverSignature;
  #verified = false;

  constructor(name, { username, password, nonce }, crypto) {
    this.name = name;
    this.#hash = SCRAM[name];
    this.#subtle = crypto.subtle;
    this.#username = prepare(username);
    this.#password = prepare(password);
    this.#nonce = nonce ?? base64(crypto.getRandomValues(new Uint8Array(24)));
  }

  async initial() {
    const name = this.#username.replace(/=/g, '=3D').replace(/,/g, '=2C');
    this.#first = `n=${name},r=${this.#nonce}`;
    return utf8(`n,,${this.#first}`);
  }

  /** Answers the challenge; a second one is the server's signature, which some send so. */
  async respond(challenge) {
    if (this.#serverSignature) return this.#confirm(challenge);
    const text = decode(challenge);
    const { r: nonce, s: salt, i, m } = fields(text);
    const iterations = Number(i);
    if (m !== undefined || !salt || !nonce?.startsWith(this.#nonce) || nonce === this.#nonce) throw malformed();
    if (!Number.isInteger(iterations) || iterations < 1 || iterations > MOST_ITERATIONS) throw malformed();

    const salted = await this.#hi(unbase64(salt), iterations);
    const clientKey = await this.#hmac(salted, utf8('Client Key'));
    const storedKey = new Uint8Array(await this.#subtle.digest(this.#hash, clientKey));
    const final = `c=biws,r=${nonce}`; // biws: "n,,", no channel binding
    const message = utf8(`${this.#first},${text},${final}`);
    const signature = await this.#hmac(storedKey, message);
    const proof = clientKey.map((byte, at) => byte ^ signature[at]);
    this.#serverSignature = base64(await this.#hmac(await this.#hmac(salted, utf8('Server Key')), message));
    return utf8(`${final},p=${base64(proof)}`);
  }

  /** Checks, with what came with <success/>, that the server knows the password too. */
  async verify(success) {
    if (!this.#verified) this.#confirm(success);
  }

  #confirm(bytes) {
    const { v } = fields(decode(bytes));
    if (!this.#serverSignature || v !== this.#serverSignature) {
      throw new AuthenticationError('not-authorized', 'the server does not know the password itself');
    }
    this.#verified = true;
    return new Uint8Array();
  }

  async #hi(salt, iterations) {
    const key = await this.#subtle.importKey('raw', utf8(this.#password), 'PBKDF2', false, ['deriveBits']);
    const bits = this.#hash === 'SHA-1' ? 160 : 256;
    return new Uint8Array(await this.#subtle.deriveBits({ name: 'PBKDF2', hash: this.#hash, salt, iterations }, key, bits));
  }

  async #hmac(key, data) {
    const imported = await this.#subtle.importKey('raw', key, { name: 'HMAC', hash: this.#hash }, false, ['sign']);
    return new Uint8Array(await this.#subtle.sign('HMAC', imported, data));
  }
}

/** What of SASLprep (RFC 4013) can be done without its tables: spaces, what maps to nothing, NFKC, no controls. */
function prepare(text) {
  const mapped = text.replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ').replace(/[\u00ad\u034f\u1806\u180b-\u180d\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]/g, '');
  const prepared = mapped.normalize('NFKC');
  if (/\p{Cc}/u.test(prepared)) throw new AuthenticationError('malformed-request', 'control characters in name or password');
  return prepared;
}

const malformed = () => new AuthenticationError('malformed-request', 'the server\'s challenge makes no sense');
const utf8 = (text) => new TextEncoder().encode(text);
const decode = (bytes) => new TextDecoder().decode(bytes);

function fields(text) {
  return Object.fromEntries(text.split(',').map((field) => [field.slice(0, 1), field.slice(2)]));
}

export function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

/** @throws {AuthenticationError} */
export function unbase64(text) {
  try {
    return Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  } catch {
    throw new AuthenticationError('incorrect-encoding', 'the server sent something that is not base64');
  }
}
