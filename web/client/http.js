import { MochiError } from './error.js';

/**
 * Posts text and gives the text of the answer. It is sent as text/plain, without a header of ours, which spares
 * browsers the CORS preflight.
 *
 * @returns {Promise<{status: number, ok: boolean, text: string, retryAfter: number}>}
 */
export async function post(env, url, body, { timeout, abort = new AbortController(), headers, ...rest } = {}) {
  const timer = timeout && env.setTimeout(() => abort.abort(), timeout);
  try {
    const answer = await env.fetch(url, { method: 'POST', body, headers, signal: abort.signal, cache: 'no-store', ...rest });
    const text = await answer.text();
    return { status: answer.status, ok: answer.ok, text, retryAfter: retryAfter(env, answer.headers?.get('Retry-After')) };
  } catch (cause) {
    throw new MochiError('network', `${url}: no answer`, { cause });
  } finally {
    env.clearTimeout(timer);
  }
}

/** Posts one object of push.v1 and gives the one that answers it; a refusal is thrown. */
export async function exchange(env, url, body, options) {
  const { status, ok, text, retryAfter } = await post(env, url, body, options);
  const object = parse(text);
  if (object?.error?.code) throw refusal(object, { status, retryAfter });
  // Anything else than 2xx with an object is a proxy speaking, whatever it says about our session.
  if (!ok || !object) throw new MochiError('http', `${url}: HTTP ${status}`, { status, retryAfter });
  return object;
}

export function refusal(object, more) {
  const { code, message } = object.error;
  return new MochiError(code, message, { ack: object.ack, ...more });
}

/** The JSON object in a text, or undefined. */
export function parse(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Milliseconds that the server asks us to stay away; at most five minutes, whoever says it. */
function retryAfter(env, value) {
  return Math.min(Math.max(value * 1000 || Date.parse(value) - env.now() || 0, 0), 300_000);
}
