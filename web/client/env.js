/**
 * Everything that the client takes from the world around it. A test brings its own; a page or a module worker has
 * what it has, and what is missing only switches off what needs it.
 */
export function environment(options) {
  const world = globalThis;
  const defaults = {
    fetch: (...args) => world.fetch(...args),
    WebSocket: world.WebSocket,
    EventSource: world.EventSource,
    DOMParser: world.DOMParser,
    BroadcastChannel: world.BroadcastChannel,
    locks: world.navigator?.locks,
    setTimeout: (f, ms) => world.setTimeout(f, ms),
    clearTimeout: (timer) => world.clearTimeout(timer),
    now: () => Date.now(),
    random,
    base: world.location?.href,
    target: world,
    document: world.document,
  };
  const env = {};
  for (const name in defaults) env[name] = options[name] === undefined ? defaults[name] : options[name];
  env.storage = options.storage ?? storageOf(world, 'sessionStorage');
  env.sharedStorage = options.sharedStorage ?? storageOf(world, 'localStorage');
  return env;
}

/** A number in [0, 1) that nobody can guess: it makes request ids and message ids too. */
function random() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high * 2 ** 20 + (low >>> 12)) / 2 ** 52;
}

/** Reading the property alone throws where a page may not store anything. */
function storageOf(world, name) {
  try {
    return world[name];
  } catch {
    return undefined;
  }
}

/**
 * Tells when the network is back or somebody looks at the page, and when the page goes away.
 *
 * @returns {() => void} stops it
 */
export function watch({ target, document }, { wake, leave }) {
  const look = () => document?.visibilityState !== 'hidden' && wake();
  const listeners = [
    [target, 'online', wake],
    [target, 'pageshow', wake],
    // A page that is kept for the way back is not gone.
    [target, 'pagehide', ({ persisted }) => persisted || leave()],
    [document, 'visibilitychange', look],
  ];
  for (const [where, event, listener] of listeners) where?.addEventListener?.(event, listener);
  return () => listeners.forEach(([where, event, listener]) => where?.removeEventListener?.(event, listener));
}
