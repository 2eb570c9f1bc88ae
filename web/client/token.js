import { MochiError } from './error.js';

/** Proves to the server who we are: a text, or a function that gives one, anew each time. */
export class Token {
  #source;

  constructor(source) {
    this.#source = source;
  }

  /** Whether asking again may give another token. */
  get renewable() {
    return typeof this.#source === 'function';
  }

  async get() {
    try {
      return this.renewable ? await this.#source() : this.#source;
    } catch (cause) {
      throw new MochiError('token', 'there is no token', { cause });
    }
  }
}
