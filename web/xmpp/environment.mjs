/** What the client takes from the page that it runs in; tests bring their own. */
export function pageEnvironment() {
  const world = globalThis;
  return {
    fetch: (...args) => world.fetch(...args),
    WebSocket: world.WebSocket,
    crypto: world.crypto,
    setTimeout: (f, ms) => world.setTimeout(f, ms),
    clearTimeout: (timer) => world.clearTimeout(timer),
    now: () => performance.now(),
    random: () => Math.random(),
  };
}
