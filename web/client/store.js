const ATTEMPTS = 4;
const PAUSE = 100;

/**
 * What survives a reload of the page, under one name, as far as the browser lets us store it.
 *
 * @param kind 'storage', which is the tab's, or 'sharedStorage', which all tabs have
 */
export function makeStore(env, kind, name) {
  const key = `mochi:${name}`;
  const storage = storageOf(env, kind);

  const store = {
    read() {
      try {
        return JSON.parse(storage.getItem(key)) ?? undefined;
      } catch {
        return undefined;
      }
    },

    write(value) {
      try {
        storage.setItem(key, JSON.stringify(value));
      } catch {
        // Full, or forbidden. An old record would be worse than none: it would use numbers again.
        store.clear();
      }
    },

    clear() {
      try {
        storage.removeItem(key);
      } catch {
        // Nothing was stored.
      }
    },

    /**
     * Takes up the session from before a reload, if there is one to this backend.
     *
     * @param restored is given all that was stored, unless another tab has it, of which this one is a copy: then
     * nothing of it is ours
     * @returns {Promise<{saved?: object, release?: () => void}>} gives the session free
     */
    async takeUp(to, restored) {
      const stored = store.read();
      const all = stored?.to === to ? stored : {};
      const release = all.session && (await claim(env, all.session.name.session));
      if (release || !all.session) restored(all);
      return { saved: release && all.session, release };
    },

    /** Keeps other tabs from taking up a session that is new. */
    async guard(session) {
      if (!session.name) return;
      const release = await claim(env, session.name.session);
      if (session.over) release?.();
      else session.release = release;
    },
  };
  return store;
}

/**
 * Makes sure that this page alone uses a session. A browser copies the storage of a tab that is duplicated, and two
 * tabs would take the session from each other.
 *
 * @returns {Promise<(() => void) | undefined>} gives it free; undefined: another page has it
 */
async function claim(env, session) {
  const name = `mochi:${session}`;
  if (!env.locks) return env.BroadcastChannel ? ask(env, name) : () => {};
  // The page before the reload may not have let go yet.
  for (let attempt = 1; ; attempt++) {
    const release = await lock(env, name);
    if (release || attempt === ATTEMPTS) return release;
    await new Promise((resolve) => env.setTimeout(resolve, PAUSE));
  }
}

/** Reading the property alone throws where a page may not store anything. */
function storageOf(env, kind) {
  try {
    return env[kind] ?? (kind === 'storage' ? sessionStorage : localStorage);
  } catch {
    return undefined;
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
