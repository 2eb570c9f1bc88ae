import { MochiError } from '../error.js';
import { BoshSession } from './session.js';

/** How long a session of the other kind may take to open, and the old one to get rid of what it has to send. */
const MOVE = 15_000;
const DRAIN = 5000;
const LOOK = 50;

/** Moves a keeper of sessions from push.v1 to BOSH and back. It is there once BOSH was asked for. */
export function makeMover(keeper) {
  const { env, choice } = keeper.setup;
  /** Makes sessions of push.v1. */
  const makeSession = keeper.kind;

  /** @param saved the session of push.v1 that a page had before its reload: BOSH cannot take it up */
  function makeBosh(setup, saved) {
    if (saved) keeper.make(saved, makeSession).close();
    return new BoshSession(setup);
  }

  /** The move under way: {kind, session, letGo, timer, resolve, reject}; the session is that which we move to, once it is there. */
  let move;

  /** The move failed: the session that there is goes on. */
  function abandon(error) {
    if (!move) return;
    const { session, letGo, reject, timer } = move;
    env.clearTimeout(timer);
    move = undefined;
    session?.close();
    reject(error);
    if (keeper.closed) return;
    letGo();
    if (keeper.current) keeper.on.unheld();
    else keeper.renew(error);
  }

  /**
   * What is said to a session is held from now on. It is asked anew of the one that we move to; if the move comes to
   * nothing it goes the old way.
   *
   * @returns {() => void} lets it go the old way
   */
  function hold(session) {
    if (!session) return () => {};
    const { send, withdraw } = session;
    let held = [];
    session.send = (json) => held.push(json);
    session.withdraw = (json) => {
      held = held.filter((message) => message !== json);
      withdraw.call(session, json);
    };
    return () => {
      Object.assign(session, { send, withdraw });
      for (const json of held) {
        try {
          session.send(json);
        } catch {
          keeper.on.refused(json);
        }
      }
    };
  }

  async function drained(deadline) {
    while (keeper.current?.usable && keeper.current.backlog.count && env.now() < deadline) {
      await new Promise((resolve) => env.setTimeout(resolve, LOOK));
    }
  }

  /**
   * Opens a session of the other kind beside the one there is. New messages wait meanwhile, and the old session is
   * given time to send its own, so that they stay in order.
   */
  function moveTo(kind) {
    return new Promise((resolve, reject) => {
      const timer = env.setTimeout(() => abandon(new MochiError('silent')), MOVE + DRAIN);
      const begun = (move = { kind, timer, resolve, reject, letGo: hold(keeper.current) });
      drained(env.now() + DRAIN).then(() => {
        if (begun !== move) return;
        move.session = keeper.make(undefined, kind);
        move.session.start();
      });
    });
  }

  return {
    kind: makeBosh,
    abandon,

    get moving() {
      return !!move;
    },

    get current() {
      return move?.session;
    },

    async use(carrier) {
      const toBosh = carrier === 'bosh';
      abandon(new MochiError('superseded'));
      if (keeper.current && (keeper.current.carrier === 'bosh') === toBosh) return toBosh ? undefined : keeper.current.use(carrier);
      if (!toBosh) choice.wanted = carrier;
      return moveTo(toBosh ? makeBosh : makeSession);
    },

    /** The session that we moved to is open: it is the keeper's now. */
    arrived() {
      const { session, kind, resolve, timer } = move;
      env.clearTimeout(timer);
      move = undefined;
      Object.assign(keeper, { current: session, kind });
      keeper.on.state('open', session.carrier);
      resolve();
    },

    broke(session, error) {
      if (session === move?.session) abandon(error);
    },
  };
}
