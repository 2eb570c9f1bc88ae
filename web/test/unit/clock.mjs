/** A clock that stands still until it is advanced. */
export class Clock {
  #now = 1_000_000;
  #timers = new Map();
  #id = 0;

  now = () => this.#now;

  setTimeout = (job, ms = 0) => {
    this.#timers.set(++this.#id, { at: this.#now + Math.max(ms, 0), job });
    return this.#id;
  };

  clearTimeout = (id) => void this.#timers.delete(id);

  /** Runs what is due, in order, letting promises settle in between. */
  async advance(ms) {
    const end = this.#now + ms;
    await settle();
    for (let next; (next = this.#next(end)); await settle()) {
      const [id, { at, job }] = next;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, at);
      job();
    }
    this.#now = end;
  }

  /** The machine sleeps: time passes, and nothing runs. */
  sleep(ms) {
    this.#now += ms;
  }

  /** Advances until something is so, or fails. */
  async until(condition, limit = 120_000, step = 10) {
    for (let passed = 0; !condition(); passed += step) {
      if (passed > limit) throw new Error(`waited ${limit} ms in vain for ${condition}`);
      await this.advance(step);
    }
  }

  #next(end) {
    let first;
    for (const timer of this.#timers) {
      if (timer[1].at <= end && (!first || timer[1].at < first[1].at)) first = timer;
    }
    return first;
  }
}

/** All promises that can settle have settled. */
export function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Numbers that look random and are the same in each run. */
export function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
