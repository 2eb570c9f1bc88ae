/** Positions that are kept of topics of an earlier page. */
const MAX_TOPICS = 200;
/** Milliseconds after which a page that was reloaded has subscribed to what it wants. */
const SETTLED = 10_000;

/**
 * What survives a reload of the page, under one name, as far as the browser lets us store it.
 *
 * @param isShared all pages have it together, and it stays when they are closed
 */
export function makeStore(env, name, isShared) {
  const key = `mochi:${name}`;
  const storage = isShared ? (env.sharedStorage ?? storageOf('localStorage')) : (env.storage ?? storageOf('sessionStorage'));

  function read() {
    try {
      return { topics: {}, publishes: [], ...JSON.parse(storage.getItem(key)) };
    } catch {
      return { topics: {}, publishes: [] };
    }
  }

  function write(on, value) {
    const { stored, own } = on.positions();
    const topics = { ...Object.fromEntries(Object.entries(stored).slice(-MAX_TOPICS)), ...own };
    try {
      storage.setItem(key, JSON.stringify({ at: env.now(), topics, ...value }));
    } catch {
      // Full, or forbidden. An old record would be worse than none: it would use numbers again.
      clear();
    }
  }

  function clear() {
    try {
      storage.removeItem(key);
    } catch {
      // Nothing was stored.
    }
  }

  return {
    read,
    write,
    clear,

    /** Stores what a keeper of sessions has. What is in the session's outbox need not be there twice. */
    save({ current: session, setup, on, ready }) {
      const saved = session?.name && snapshot(session);
      write(on, { to: setup.to, session: saved, publishes: saved && ready ? [] : on.toPublish() });
    },

    /** The session that a page had which spoke to the same backend, and `release`, which gives it free. */
    async take({ setup, on }) {
      const saved = read();
      if (saved.to !== setup.to) return {};
      const release = saved.session && (await claim(env, saved.session.name));
      // Another tab has it, of which this one is a copy: then nothing of it is ours.
      if (saved.session && !release) return {};
      on.restored({ ...saved, isStray: strays(env, saved.topics) });
      return { session: saved.session, release };
    },

    /** Lets nobody else take the session. */
    async guard(session) {
      if (!session.name) return;
      const release = await claim(env, session.name);
      if (session.over) release?.();
      else session.release = release;
    },
  };
}

/** What a page needs to take the session up after a reload. */
function snapshot({ name, user, agreed, attach, inbox, outgoing }) {
  return { name, user, agreed, attach, ack: inbox.handled, acked: outgoing.acked, out: outgoing.unacknowledged };
}

/** Tells, of a topic that nobody here subscribed to, whether it is to be left: once, when the page had time to do so. */
function strays(env, topics) {
  const startedAt = env.now();
  const left = new Set();
  return (name) => {
    if (left.has(name) || env.now() - startedAt < SETTLED) return false;
    left.add(name);
    delete topics[name];
    return true;
  };
}

/** Reading the property alone throws where a page may not store anything. */
function storageOf(kind) {
  try {
    return globalThis[kind];
  } catch {
    return undefined;
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
async function claim(env, { session }) {
  const name = `mochi:${session}`;
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
