/** What survives a reload of the page, under one name, as far as the browser lets us store it. */
export class Store {
  #storage;
  #key;

  constructor(env, name) {
    this.#storage = env.storage;
    this.#key = `mochi:${name}`;
  }

  read() {
    try {
      return JSON.parse(this.#storage.getItem(this.#key)) ?? undefined;
    } catch {
      return undefined;
    }
  }

  write(value) {
    try {
      this.#storage.setItem(this.#key, JSON.stringify(value));
    } catch {
      // Full, or forbidden. An old record would be worse than none: it would use numbers again.
      this.clear();
    }
  }

  clear() {
    try {
      this.#storage.removeItem(this.#key);
    } catch {
      // Nothing was stored.
    }
  }
}

const ATTEMPTS = 4;
const PAUSE = 100;

/**
 * Makes sure that this page alone uses a session. A browser copies the storage of a tab that is duplicated, and two
 * tabs would take the session from each other.
 *
 * @returns {Promise<(() => void) | undefined>} gives it free; undefined: another page has it
 */
export async function claim(env, id) {
  const name = `mochi:${id}`;
  if (!env.locks) return env.BroadcastChannel ? ask(env, name) : () => {};
  // The page before the reload may not have let go yet.
  for (let attempt = 1; ; attempt++) {
    const release = await lock(env, name);
    if (release || attempt === ATTEMPTS) return release;
    await new Promise((resolve) => env.setTimeout(resolve, PAUSE));
  }
}

function lock(env, name) {
  return new Promise((resolve) => {
    env.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(undefined);
        return new Promise((release) => resolve(release));
      })
      .catch(() => resolve(() => {}));
  });
}

/** Without locks (they need https) the tabs are asked. */
function ask(env, name) {
  const channel = new env.BroadcastChannel(name);
  return new Promise((resolve) => {
    const timer = env.setTimeout(() => {
      channel.onmessage = ({ data }) => data === 'whose?' && channel.postMessage('mine');
      resolve(() => channel.close());
    }, 2 * PAUSE);
    channel.onmessage = ({ data }) => {
      if (data !== 'mine') return;
      env.clearTimeout(timer);
      channel.close();
      resolve(undefined);
    };
    channel.postMessage('whose?');
  });
}
