import { MochiError } from '../error.js';
import { makePushSession } from '../session.js';
import { makeBoshSession } from './session.js';

/** How long a session of the other kind may take to open, and the old one to get rid of what it has to send. */
const MOVE = 15_000;
const DRAIN = 5000;
const LOOK = 50;

/** Moves a keeper of sessions from push.v1 to BOSH and back. It is there once BOSH was asked for. */
export function makeMover(keeper) {
  const { env, choice } = keeper.setup;
  let incoming;

  const mover = {
    kind: makeBoshSession,

    get moving() {
      return !!incoming;
    },

    /** The session that we move to, if it is there yet. */
    get session() {
      return incoming?.session;
    },

    async use(carrier) {
      const kind = carrier === 'bosh' ? makeBoshSession : makePushSession;
      mover.abandon(new MochiError('superseded'));
      if (keeper.closed) throw new MochiError('closed');
      if (keeper.session && keeper.kind === kind) return kind === makePushSession ? keeper.session.use(carrier) : undefined;
      if (kind === makePushSession) choice.wanted = carrier;
      return move(kind);
    },

    /** The session that we moved to is open: it is the keeper's now. */
    arrived() {
      const { kind, session, resolve } = end();
      keeper.session = session;
      keeper.kind = kind;
      keeper.on.state('open', session.carrier);
      resolve();
    },

    failed(session, error) {
      if (session === mover.session) mover.abandon(error);
    },

    /** The move failed: the session that there is goes on. */
    abandon(error) {
      if (!incoming) return;
      const { session, reject } = end();
      session?.close();
      reject(error);
      if (keeper.closed) return;
      if (keeper.session) keeper.on.unheld();
      else keeper.renew(error);
    },
  };

  function end() {
    const ended = incoming;
    env.clearTimeout(ended.timer);
    incoming = undefined;
    return ended;
  }

  /**
   * Opens a session of the other kind beside the one there is. New messages wait meanwhile, and the old session is
   * given time to send its own, so that they stay in order.
   */
  function move(kind) {
    return new Promise((resolve, reject) => {
      const timer = env.setTimeout(() => mover.abandon(new MochiError('silent')), MOVE + DRAIN);
      const mine = (incoming = { kind, resolve, reject, timer });
      drained(env.now() + DRAIN).then(() => {
        if (mine !== incoming) return;
        mine.session = keeper.make(kind);
        mine.session.start();
      });
    });
  }

  async function drained(deadline) {
    while (keeper.session?.usable && !keeper.session.idle && env.now() < deadline) {
      await new Promise((resolve) => env.setTimeout(resolve, LOOK));
    }
  }

  return mover;
}
