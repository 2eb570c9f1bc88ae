import { MochiError } from './error.js';

/**
 * Posts text and gives the text of the answer. It is sent as text/plain, without a header of ours, which spares
 * browsers the CORS preflight.
 *
 * @returns {Promise<{status: number, ok: boolean, text: string, retryAfter: number}>}
 */
export async function post(env, url, body, { timeout, abort = new AbortController(), ...rest }) {
  const timer = timeout && env.setTimeout(() => abort.abort(), timeout);
  try {
    const answer = await env.fetch(url, { method: 'POST', body, signal: abort.signal, cache: 'no-store', ...rest });
    const text = await answer.text();
    const after = answer.headers?.get('Retry-After');
    // Milliseconds that the server asks us to stay away, by seconds or a date; at most five minutes, whoever says it.
    const retryAfter = Math.min(Math.max(after * 1000 || Date.parse(after) - env.now() || 0, 0), 300_000);
    return { status: answer.status, ok: answer.ok, text, retryAfter };
  } catch (cause) {
    throw new MochiError('network', `${url}: no answer`, { cause });
  } finally {
    env.clearTimeout(timer);
  }
}

/** The error that an object of push.v1 tells of. */
export function refusal(object, more) {
  const { code, message } = object.error;
  return new MochiError(code, message, { ack: object.ack, ...more });
}

/** The JSON object in a text, or undefined. */
export function parse(text) {
  try {
    const value = JSON.parse(text);
    return value?.constructor === Object ? value : undefined;
  } catch {
    return undefined;
  }
}
