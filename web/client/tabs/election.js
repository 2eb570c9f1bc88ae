/** Without locks: how often the others are asked who leads, how long silence is borne, and how long a claim stands. */
const ASK = 1000;
const SILENCE = 5000;
const CLAIM = 300;

/**
 * Makes one of the tabs lead: that which has a lock, which the browser gives to the next as soon as it is gone.
 *
 * @returns {{heard(message: object): void, stop(): void}}
 */
export function byLock({ locks }, name, { lead }) {
  const abort = new AbortController();
  let stop = () => abort.abort();
  const use = () => {
    lead();
    return new Promise((release) => (stop = release));
  };
  // Whoever is gone while waiting need not lead any more.
  locks.request(name, { signal: abort.signal }, use).catch(() => {});
  return { heard() {}, stop: () => stop() };
}

/**
 * The same for pages that came by plain http, which have no locks: they talk it over, and the smallest id leads. Two
 * may lead for a moment; the one with the larger id yields when it hears of the other.
 */
export function byTalk(env, id, { lead, yield: step, post }) {
  let leading = false;
  let claiming = false;
  let timer;
  // At first nobody is known, and nobody waits for long.
  let heardAt = env.now() - SILENCE;

  const tick = () => {
    timer = env.setTimeout(tick, ASK);
    if (leading) return;
    post({ ask: true });
    if (claiming || env.now() - heardAt < SILENCE) return;
    claiming = true;
    post({ claim: true });
    env.clearTimeout(timer);
    timer = env.setTimeout(() => {
      leading = claiming;
      claiming = false;
      if (leading) lead();
      tick();
    }, CLAIM);
  };
  tick();
  return {
    heard({ from, lead: leads, claim, bye }) {
      if (bye) heardAt = env.now() - SILENCE;
      const yields = from < id || (leads && !leading);
      // Whoever came later has not heard our claim.
      if (claim && claiming && !yields) post({ claim: true });
      if (!yields || !(leads || (claim && claiming))) return;
      heardAt = env.now();
      claiming = false;
      if (leading) step();
      leading = false;
    },
    stop: () => env.clearTimeout(timer),
  };
}
