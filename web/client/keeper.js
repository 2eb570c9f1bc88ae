import { makeBackoff } from './backoff.js';
import { MochiError } from './error.js';
import { makePushSession } from './session.js';

/** A session that lived shorter than this was no success. */
const SHORT_LIFE = 10_000;

/**
 * Sees to it that there is a session: takes up the one from before a reload, makes another when one is lost. What
 * BOSH needs beside that is loaded when somebody asks for BOSH (bosh/mover.js).
 *
 * It tells its owner through `on`: `restored({at, topics, publishes})`, `opened(resumed)`, `state(state, carrier, error)`,
 * `message(value, current)`, `positions()`, `publishes()`, `refused(json)`, `trouble(error)`, `lost(unsent)`,
 * `unheld()`, `ended(error)`.
 *
 * @param openStore gives the store, or a promise of it; undefined: nothing survives a reload
 */
export function makeKeeper(setup, openStore, on) {
  const { env, to } = setup;
  const retry = makeBackoff(env);
  let store;
  let mover;
  /** Changes with each call of `use`. */
  let wish;
  let bornAt = 0;

  const keeper = {
    setup,
    on,
    session: undefined,
    /** Sessions are made by this: makePushSession, or that of BOSH. */
    kind: makePushSession,
    closed: false,

    async begin(bosh) {
      try {
        if (bosh) keeper.kind = (await load()).kind;
      } catch (error) {
        on.trouble(error);
        return retry.again(() => keeper.begin(bosh));
      }
      if (openStore) store = await openStore();
      let { saved, release } = store ? await store.takeUp(to, on.restored) : {};
      if (keeper.closed || keeper.session || keeper.holding) return release?.();
      if (saved && bosh) {
        // BOSH cannot take it up.
        keeper.make(makePushSession, saved).close();
        saved = release();
      }
      keeper.session = keeper.make(keeper.kind, saved);
      keeper.session.release = release;
      keeper.session.start();
    },

    /** Nothing new is to be sent: a move is under way. */
    get holding() {
      return !!mover?.moving;
    },

    get ready() {
      return !!keeper.session?.usable && !keeper.holding;
    },

    async use(carrier) {
      const mine = (wish = {});
      if (carrier === 'bosh') await load();
      if (mine !== wish) throw new MochiError('superseded');
      if (mover) return mover.use(carrier);
      // Between two sessions it goes on with the next one at once.
      retry.stop();
      return (keeper.session ??= keeper.make()).use(carrier);
    },

    wake() {
      keeper.session?.wake();
      mover?.session?.wake();
      retry.wake();
    },

    /** Stores what is to survive a reload. What is in the session's outbox need not be there twice. */
    save() {
      const session = keeper.session?.snapshot;
      const publishes = session && keeper.ready ? [] : on.publishes();
      store?.write({ at: env.now(), to, session, topics: on.positions(), publishes });
    },

    /** The page goes away: a session that cannot be taken up again should not linger. */
    leave() {
      keeper.save();
      if (!store || keeper.kind !== makePushSession) keeper.session?.close();
    },

    /** @param keep another page goes on with the session, so it is not ended */
    close(keep) {
      keeper.closed = true;
      retry.stop();
      mover?.abandon(new MochiError('closed'));
      if (keep) {
        keeper.leave();
        keeper.session?.quit?.();
      } else {
        keeper.session?.close();
        store?.clear();
      }
      keeper.session?.release?.();
      keeper.session = undefined;
    },

    // ---- for the mover

    make(kind = keeper.kind, saved) {
      const current = () => session === keeper.session;
      const session = kind(
        {
          ...setup,
          on: {
            open: (resumed) => opened(session, resumed),
            state: (...news) => current() && told(...news),
            message: (value) => on.message(value, current()),
            save: () => current() && keeper.save(),
            refused: on.refused,
            trouble: on.trouble,
            gone: (why) => gone(session, why),
          },
        },
        saved,
      );
      return session;
    },

    renew(error) {
      if (bornAt && env.now() - bornAt > SHORT_LIFE) retry.reset();
      retry.again(() => (keeper.session = keeper.make()).start());
      on.state('reconnecting', keeper.kind === makePushSession ? setup.choice.pick() : 'bosh', error);
    },
  };

  async function load() {
    try {
      return (mover ??= (await import('./bosh/mover.js')).makeMover(keeper));
    } catch (cause) {
      throw new MochiError('network', 'BOSH did not load', { cause });
    }
  }

  /** A session that replaces another begins by connecting; to the page that is the same connection. */
  function told(state, ...news) {
    on.state(state === 'connecting' && bornAt ? 'reconnecting' : state, ...news);
  }

  function opened(session, resumed) {
    const old = session === keeper.session ? undefined : keeper.session;
    if (session !== keeper.session) {
      retry.stop();
      mover.arrived();
    }
    bornAt = env.now();
    if (!resumed) store?.guard(session);
    on.opened(resumed);
    // All is asked for again by now, from where the old session got to.
    old?.close();
    old?.release?.();
  }

  function gone(session, { code, message, retry: again, unsent }) {
    session.release?.();
    const error = new MochiError(code, message);
    if (session !== keeper.session) return mover?.failed(session, error);
    keeper.session = undefined;
    on.lost(unsent);
    keeper.save();
    if (!again) on.ended(error);
    else if (!keeper.holding) keeper.renew(error);
  }

  return keeper;
}
