const SHORTEST = 500;
const LONGEST = 20_000;

/**
 * Runs something again after a pause that doubles each time, with jitter so that ten thousand clients of a restarted
 * server do not come back in the same moment.
 */
export class Backoff {
  #env;
  #level = 0;
  #timer;
  #job;
  #earliest = 0;

  constructor(env) {
    this.#env = env;
  }

  /** @param {number} [floor] milliseconds to wait at least: a Retry-After */
  again(job, floor = 0) {
    this.stop();
    const most = Math.min(SHORTEST * 2 ** this.#level++, LONGEST);
    // The first retry may come at once: most breaks are short.
    const least = this.#level === 1 ? 0 : most / 2;
    const delay = floor + least + this.#env.random() * (most - least);
    this.#job = job;
    this.#earliest = this.#env.now() + floor;
    this.#timer = this.#env.setTimeout(() => this.#run(), delay);
  }

  /** Something happened that makes success likely: wait no longer, unless the server asked us to. */
  wake() {
    if (this.#job && this.#env.now() >= this.#earliest) this.#run();
  }

  get waiting() {
    return !!this.#job;
  }

  stop() {
    this.#env.clearTimeout(this.#timer);
    this.#job = undefined;
  }

  reset() {
    this.#level = 0;
  }

  #run() {
    const job = this.#job;
    this.stop();
    job();
  }
}
