import { MochiError } from './error.js';
import { makeSession } from './session.js';
import { load } from './load.js';
import { makeBackoff } from './backoff.js';

/** A session that lived shorter than this was no success. */
const SHORT_LIFE = 10_000;

/**
 * Sees to it that there is a session: takes up the one from before a reload, makes another when one is lost. What
 * BOSH needs beside that is loaded when somebody asks for BOSH (bosh/mover.js).
 *
 * It tells its owner through `on`: `restored({at, topics, publishes})`, `opened(resumed)`, `state(state, carrier, error)`,
 * `message(value, current)`, `positions()`, `toPublish()`, `refused(json)`, `trouble(error)`, `lost(unsent)`,
 * `unheld()`, `ended(error)`.
 *
 * @param openStore gives what survives a reload (reload/store.js); undefined: nothing does
 */
export function makeKeeper(setup, openStore, on) {
  const { env, choice } = setup;
  const retry = makeBackoff(env);
  let store;
  let mover;
  /** Changes with each call of `use`. */
  let lastWish;
  let bornAt = 0;
  /** Another page goes on with what is stored. */
  let kept;

  const keeper = {
    setup,
    on,
    current: undefined,
    /** Makes sessions: of push.v1, or of BOSH. */
    kind: makeSession,
    closed: false,
    make,
    renew,
    save,
    leave,

    async begin(bosh) {
      try {
        if (bosh) keeper.kind = (await loadMover()).kind;
        if (openStore) store ??= await openStore();
      } catch (error) {
        if (keeper.closed) return;
        on.trouble(error);
        return retry.plan(() => keeper.begin(bosh));
      }
      if (keeper.closed) return kept || store?.clear();
      const { session, release } = store ? await store.take(keeper) : {};
      if (keeper.closed || keeper.current || keeper.holding) return release?.();
      keeper.current = make(session);
      keeper.current.release = release;
      keeper.current.start();
    },

    /** Nothing new is to be sent: a move is under way. */
    get holding() {
      return mover?.moving;
    },

    get ready() {
      return keeper.current?.usable && !keeper.holding;
    },

    async use(carrier) {
      const wish = (lastWish = {});
      if (carrier === 'bosh') await loadMover();
      if (wish !== lastWish) throw new MochiError('superseded');
      if (keeper.closed) throw new MochiError('closed');
      if (mover) return mover.use(carrier);
      // Between two sessions it goes on with the next one at once.
      retry.stop();
      return (keeper.current ??= make()).use(carrier);
    },

    wake() {
      keeper.current?.wake();
      mover?.current?.wake();
      retry.wake();
    },

    /** @param keep another page goes on with the session, so it is not ended */
    close(keep) {
      const { current: session } = keeper;
      keeper.closed = true;
      kept = keep;
      retry.stop();
      mover?.abandon(new MochiError('closed'));
      if (keep) {
        leave();
        session?.quit?.();
      } else {
        session?.close();
        store?.clear();
      }
      session?.release?.();
      keeper.current = undefined;
    },
  };

  /** Stores what is to survive a reload. */
  function save() {
    store?.save(keeper);
  }

  /** The page goes away: a session that cannot be taken up again should not linger. */
  function leave() {
    save();
    if (!store || keeper.kind !== makeSession) keeper.current?.close();
  }

  async function loadMover() {
    const { makeMover } = await load(() => import('./bosh/mover.js'), './bosh/mover.js');
    return (mover ??= makeMover(keeper));
  }

  function make(saved, kind = keeper.kind) {
    const isCurrent = () => session === keeper.current;
    const message = (value) => on.message(value, isCurrent());
    const saveIt = () => isCurrent() && save();
    const session = kind({ ...setup, on: { ...on, open, gone, state, message, save: saveIt } }, saved);
    return session;

    function open(resumed) {
      const old = isCurrent() ? undefined : keeper.current;
      if (!isCurrent()) {
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

    /** A session that replaces another begins by connecting; to the page that is the same connection. */
    function state(name, ...news) {
      if (isCurrent()) on.state(name === 'connecting' && bornAt ? 'reconnecting' : name, ...news);
    }

    function gone({ code, message, retry: another, unsent }) {
      session.release?.();
      const error = new MochiError(code, message);
      if (!isCurrent()) return mover?.broke(session, error);
      keeper.current = undefined;
      on.lost(unsent);
      save();
      if (!another) on.ended(error);
      else if (!keeper.holding) renew(error);
    }
  }

  function renew(error) {
    if (bornAt && env.now() - bornAt > SHORT_LIFE) retry.reset();
    retry.plan(() => (keeper.current = make()).start());
    on.state('reconnecting', keeper.kind === makeSession ? choice.pick() : 'bosh', error);
  }

  return keeper;
}
