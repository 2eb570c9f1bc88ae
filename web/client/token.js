import { MochiError } from './error.js';

/** Proves to the server who we are: a text, or a function that gives one, anew each time. */
export function makeToken(source) {
  /** Whether asking again may give another token. */
  const renewable = typeof source === 'function';
  return {
    renewable,

    async get() {
      try {
        return renewable ? await source() : source;
      } catch (cause) {
        throw new MochiError('token', 'no token', { cause });
      }
    },
  };
}
