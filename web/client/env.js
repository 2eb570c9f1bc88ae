/** These are as the page has them; without one, what needs it is off. */
const INTERFACES = ['WebSocket', 'EventSource', 'DOMParser', 'BroadcastChannel', 'document'];

/**
 * Everything that the client takes from the world around it. A test brings its own; a page or a module worker has
 * what it has.
 */
export function environment(options) {
  const world = globalThis;
  const env = {
    fetch: (...args) => world.fetch(...args),
    locks: world.navigator?.locks,
    setTimeout: (f, ms) => world.setTimeout(f, ms),
    clearTimeout: (timer) => world.clearTimeout(timer),
    now: () => Date.now(),
    random,
    base: world.location?.href,
    target: world,
  };
  for (const name of INTERFACES) env[name] = world[name];
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
