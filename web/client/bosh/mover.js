import { MochiError } from '../error.js';
import { PushSession } from '../session.js';
import { BoshSession } from './session.js';

/** How long a session of the other kind may take to open, and the old one to get rid of what it has to send. */
const MOVE = 15_000;
const DRAIN = 5000;
const LOOK = 50;

/** Moves a keeper of sessions from push.v1 to BOSH and back. It is there once BOSH was asked for. */
export class Mover {
  kind = BoshSession;
  #keeper;
  #incoming;

  constructor(keeper) {
    this.#keeper = keeper;
  }

  get moving() {
    return !!this.#incoming;
  }

  /** The session that we move to, if it is there yet. */
  get session() {
    return this.#incoming?.session;
  }

  async use(carrier) {
    const keeper = this.#keeper;
    const kind = carrier === 'bosh' ? BoshSession : PushSession;
    this.abandon(new MochiError('superseded'));
    if (keeper.closed) throw new MochiError('closed');
    if (keeper.session instanceof kind) return kind === PushSession ? keeper.session.use(carrier) : undefined;
    if (kind === PushSession) keeper.setup.choice.wanted = carrier;
    return this.#move(kind);
  }

  /** The session that we moved to is open: it is the keeper's now. */
  arrived() {
    const keeper = this.#keeper;
    const { session, resolve, timer } = this.#incoming;
    keeper.setup.env.clearTimeout(timer);
    this.#incoming = undefined;
    keeper.session = session;
    keeper.kind = session.constructor;
    keeper.on.state('open', session.carrier);
    resolve();
  }

  failed(session, error) {
    if (session === this.session) this.abandon(error);
  }

  /** The move failed: the session that there is goes on. */
  abandon(error) {
    if (!this.#incoming) return;
    const keeper = this.#keeper;
    const { session, reject, timer } = this.#incoming;
    keeper.setup.env.clearTimeout(timer);
    this.#incoming = undefined;
    session?.close();
    reject(error);
    if (keeper.closed) return;
    if (keeper.session) keeper.on.unheld();
    else keeper.renew(error);
  }

  /**
   * Opens a session of the other kind beside the one there is. New messages wait meanwhile, and the old session is
   * given time to send its own, so that they stay in order.
   */
  #move(kind) {
    const { env } = this.#keeper.setup;
    return new Promise((resolve, reject) => {
      const timer = env.setTimeout(() => this.abandon(new MochiError('silent')), MOVE + DRAIN);
      const incoming = (this.#incoming = { resolve, reject, timer });
      this.#drained(env.now() + DRAIN).then(() => {
        if (incoming !== this.#incoming) return;
        incoming.session = this.#keeper.make(kind);
        incoming.session.start();
      });
    });
  }

  async #drained(deadline) {
    const keeper = this.#keeper;
    const { env } = keeper.setup;
    while (keeper.session?.usable && !keeper.session.idle && env.now() < deadline) {
      await new Promise((resolve) => env.setTimeout(resolve, LOOK));
    }
  }
}
