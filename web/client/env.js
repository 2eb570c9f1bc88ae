/**
 * Everything that the client takes from the world around it. A test brings its own; a page or a module worker has
 * what it has, and what is missing only switches off what needs it.
 */
export function environment(options) {
  const world = globalThis;
  const env = {
    locks: world.navigator?.locks,
    now: Date.now,
    random,
    base: world.location?.href,
    target: world,
  };
  for (const name of ['WebSocket', 'EventSource', 'DOMParser', 'BroadcastChannel', 'document']) env[name] = world[name];
  for (const name of ['fetch', 'setTimeout', 'clearTimeout']) env[name] = (...args) => world[name](...args);
  for (const name in options) if (options[name] !== undefined) env[name] = options[name];
  return env;
}

/** A number in [0, 1) that nobody can guess: it makes request ids and message ids too. */
function random() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high * 2 ** 20 + (low >>> 12)) / 2 ** 52;
}

/**
 * Tells when the network is back or somebody looks at the page, and when the page goes away.
 *
 * @returns {() => void} stops it
 */
export function watch({ target, document }, { wake, leave }) {
  const abort = new AbortController();
  const on = (where, event, listener) => where?.addEventListener?.(event, listener, { signal: abort.signal });
  on(target, 'online', wake);
  on(target, 'pageshow', wake);
  // A page that is kept for the way back is not gone.
  on(target, 'pagehide', ({ persisted }) => persisted || leave());
  on(document, 'visibilitychange', () => document.visibilityState !== 'hidden' && wake());
  return () => abort.abort();
}
