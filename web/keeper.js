import { Backoff } from './backoff.js';
import { BoshSession } from './carriers/bosh.js';
import { MochiError } from './error.js';
import { PushSession } from './session.js';
import { claim } from './store.js';

/** A session that lived shorter than this was no success. */
const SHORT_LIFE = 10_000;
/** How long a session of the other kind may take to open, and the old one to get rid of what it has to send. */
const MOVE = 15_000;
const DRAIN = 5000;
const LOOK = 50;

/**
 * Sees to it that there is a session: takes up the one from before a reload, makes another when one is lost, moves
 * from push.v1 to BOSH and back.
 *
 * It tells its owner through `on`: `restored({topics, publishes})`, `opened(resumed)`, `state(state, carrier, error)`, `message(value, current)`,
 * `positions()`, `publishes()`, `refused(json)`, `trouble(error)`, `lost(unsent)`, `unheld()`, `ended(error)`.
 */
export class Keeper {
  session;
  /** Nothing new is to be sent: a move is under way. */
  holding = false;
  #setup;
  #store;
  #on;
  #bosh;
  #incoming;
  #retry;
  #bornAt = 0;
  #closed = false;

  constructor(setup, store, on) {
    this.#setup = setup;
    this.#store = store;
    this.#on = on;
    this.#retry = new Backoff(setup.env);
  }

  async begin(bosh) {
    this.#bosh = bosh;
    const stored = this.#store?.read();
    const saved = stored?.to === this.#setup.to ? stored : {};
    const release = saved.session && (await claim(this.#setup.env, saved.session.name.session));
    // Another tab has it, of which this one is a copy: then nothing of it is ours.
    const session = release && saved.session;
    if (session || !saved.session) this.#on.restored(saved);
    if (this.#closed || this.session || this.#incoming) release?.();
    else this.#resume(session, release);
  }

  get ready() {
    return !!this.session?.usable && !this.holding;
  }

  async use(carrier) {
    const bosh = carrier === 'bosh';
    if (this.#incoming) this.#abandon(new MochiError('superseded'));
    if (this.session && bosh === this.#bosh) return bosh ? undefined : this.session.use(carrier);
    if (!bosh) this.#setup.choice.wanted = carrier;
    return this.#move(bosh);
  }

  wake() {
    this.session?.wake();
    this.#incoming?.session?.wake();
    this.#retry.wake();
  }

  /** Stores what is to survive a reload. What is in the session's outbox need not be there twice. */
  save() {
    const session = this.session?.snapshot;
    const publishes = session && this.ready ? [] : this.#on.publishes();
    this.#store?.write({ to: this.#setup.to, session, topics: this.#on.positions(), publishes });
  }

  /** The page goes away: a session that cannot be taken up again should not linger. */
  leave() {
    this.save();
    if (!this.#store || this.#bosh) this.session?.close();
  }

  close() {
    this.#closed = true;
    this.#retry.stop();
    if (this.#incoming) this.#abandon(new MochiError('closed'));
    this.session?.close();
    this.session?.release?.();
    this.session = undefined;
    this.#store?.clear();
  }

  // ----

  #resume(saved, release) {
    if (!saved || !this.#bosh) return this.#start(this.#make(this.#bosh, saved), release);
    // BOSH cannot take it up.
    this.#make(false, saved).close();
    release();
    this.#start(this.#make(true));
  }

  #start(session, release) {
    this.session = session;
    session.release = release;
    session.start();
  }

  #make(bosh, saved) {
    const on = {
      open: (resumed) => this.#opened(session, resumed),
      state: (...news) => session === this.session && this.#state(...news),
      message: (value) => this.#on.message(value, session === this.session),
      save: () => session === this.session && this.save(),
      refused: (json) => this.#on.refused(json),
      trouble: (error) => this.#on.trouble(error),
      gone: (why) => this.#gone(session, why),
    };
    const setup = { ...this.#setup, on };
    const session = bosh ? new BoshSession(setup) : new PushSession(setup, saved);
    return session;
  }

  /** A session that replaces another begins by connecting; to the page that is the same connection. */
  #state(state, ...news) {
    this.#on.state(state === 'connecting' && this.#bornAt ? 'reconnecting' : state, ...news);
  }

  #opened(session, resumed) {
    const moved = session === this.#incoming?.session;
    const old = moved ? this.session : undefined;
    if (moved) this.#takeOver(session);
    this.#bornAt = this.#setup.env.now();
    if (!resumed) this.#guard(session);
    this.#on.opened(resumed);
    // All is asked for again by now, from where the old session got to.
    old?.close();
    old?.release?.();
  }

  #takeOver(session) {
    const { env } = this.#setup;
    const { resolve, timer } = this.#incoming;
    env.clearTimeout(timer);
    this.#retry.stop();
    this.#incoming = undefined;
    this.holding = false;
    this.session = session;
    this.#bosh = session instanceof BoshSession;
    this.#on.state('open', session.carrier);
    resolve();
  }

  async #guard(session) {
    if (!this.#store || !session.name) return;
    const release = await claim(this.#setup.env, session.name.session);
    if (session.over) release?.();
    else session.release = release;
  }

  #gone(session, { code, message, retry, unsent }) {
    session.release?.();
    const error = new MochiError(code, message);
    if (session === this.#incoming?.session) return this.#abandon(error);
    if (session !== this.session) return;
    this.session = undefined;
    this.#on.lost(unsent);
    this.save();
    if (!retry) this.#on.ended(error);
    else if (!this.#incoming) this.#renew(error);
  }

  #renew(error) {
    if (this.#bornAt && this.#setup.env.now() - this.#bornAt > SHORT_LIFE) this.#retry.reset();
    this.#retry.again(() => this.#start(this.#make(this.#bosh)));
    this.#on.state('reconnecting', this.#bosh ? 'bosh' : this.#setup.choice.pick(), error);
  }

  /**
   * Opens a session of the other kind beside the one there is. New messages wait meanwhile, and the old session is
   * given time to send its own, so that they stay in order.
   */
  #move(bosh) {
    const { env } = this.#setup;
    this.holding = true;
    return new Promise((resolve, reject) => {
      const timer = env.setTimeout(() => this.#abandon(new MochiError('silent')), MOVE + DRAIN);
      const incoming = (this.#incoming = { resolve, reject, timer });
      this.#drained(env.now() + DRAIN).then(() => {
        if (incoming !== this.#incoming) return;
        incoming.session = this.#make(bosh);
        incoming.session.start();
      });
    });
  }

  async #drained(deadline) {
    const { env } = this.#setup;
    while (this.session?.usable && !this.session.idle && env.now() < deadline) {
      await new Promise((resolve) => env.setTimeout(resolve, LOOK));
    }
  }

  /** The move failed: the session that there is goes on. */
  #abandon(error) {
    const { session, reject, timer } = this.#incoming;
    this.#setup.env.clearTimeout(timer);
    this.#incoming = undefined;
    this.holding = false;
    session?.close();
    reject(error);
    if (this.#closed) return;
    if (this.session) this.#on.unheld();
    else this.#renew(error);
  }
}
