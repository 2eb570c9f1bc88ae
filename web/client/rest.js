/** Pauses that can be ended early, all at once. */
export class Rests {
  #env;
  #ends = new Set();

  constructor(env) {
    this.#env = env;
  }

  take(ms) {
    return new Promise((resolve) => {
      const end = () => {
        this.#env.clearTimeout(timer);
        this.#ends.delete(end);
        resolve();
      };
      const timer = this.#env.setTimeout(end, ms);
      this.#ends.add(end);
    });
  }

  end() {
    for (const end of [...this.#ends]) end();
  }
}
