import { makeTimer } from './timer.js';

const SHORTEST = 500;
const LONGEST = 20_000;

/**
 * Runs something again after a pause that doubles each time, with jitter so that ten thousand clients of a restarted
 * server do not come back in the same moment.
 */
export function makeBackoff(env) {
  const timer = makeTimer(env);
  let level = 0;
  let job;
  let earliest;

  function stop() {
    timer();
    job = undefined;
  }

  function run() {
    const due = job;
    stop();
    due();
  }

  return {
    stop,

    /** @param {number} [floor] milliseconds to wait at least: a Retry-After */
    plan(what, floor = 0) {
      const most = Math.min(SHORTEST * 2 ** level++, LONGEST);
      // The first retry may come at once: most breaks are short.
      const least = level === 1 ? 0 : most / 2;
      job = what;
      earliest = env.now() + floor;
      timer(run, floor + least + env.random() * (most - least));
    },

    /** Something happened that makes success likely: wait no longer, unless the server asked us to. */
    wake() {
      if (job && env.now() >= earliest) run();
    },

    get waiting() {
      return job;
    },

    reset() {
      level = 0;
    },
  };
}
