import { MochiError } from './error.js';

let attempts = 0;

/**
 * Loads a part of the client. Browsers remember under its address, for as long as the page lives, that a module
 * could not be loaded; so it is tried again under another one.
 *
 * @param {() => Promise<object>} first imports it in a way that bundlers understand
 */
export function load(first, path) {
  const again = () => import(/* webpackIgnore: true */ /* @vite-ignore */ `${path}?${++attempts}`);
  return first()
    .catch(again)
    .catch((cause) => {
      throw new MochiError('network', `${path} did not load`, { cause });
    });
}
