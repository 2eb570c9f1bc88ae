const SHORTEST = 500;
const LONGEST = 20_000;

/**
 * Runs something again after a pause that doubles each time, with jitter so that ten thousand clients of a restarted
 * server do not come back in the same moment.
 */
export function makeBackoff(env) {
  let level = 0;
  let timer;
  let job;
  let earliest = 0;

  const stop = () => {
    env.clearTimeout(timer);
    job = undefined;
  };
  const run = () => {
    const now = job;
    stop();
    now();
  };
  return {
    /** @param {number} [floor] milliseconds to wait at least: a Retry-After */
    again(next, floor = 0) {
      stop();
      const most = Math.min(SHORTEST * 2 ** level++, LONGEST);
      // The first retry may come at once: most breaks are short.
      const least = level === 1 ? 0 : most / 2;
      job = next;
      earliest = env.now() + floor;
      timer = env.setTimeout(run, floor + least + env.random() * (most - least));
    },
    /** Something happened that makes success likely: wait no longer, unless the server asked us to. */
    wake() {
      if (job && env.now() >= earliest) run();
    },
    get waiting() {
      return !!job;
    },
    stop,
    reset() {
      level = 0;
    },
  };
}
