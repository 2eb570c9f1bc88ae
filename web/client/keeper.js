import { Backoff } from './backoff.js';
import { MochiError } from './error.js';
import { PushSession } from './session.js';
import { claim } from './store.js';

/** A session that lived shorter than this was no success. */
const SHORT_LIFE = 10_000;

/**
 * Sees to it that there is a session: takes up the one from before a reload, makes another when one is lost. What
 * BOSH needs beside that is loaded when somebody asks for BOSH (bosh/mover.js).
 *
 * It tells its owner through `on`: `restored({at, topics, publishes})`, `opened(resumed)`, `state(state, carrier, error)`,
 * `message(value, current)`, `positions()`, `publishes()`, `refused(json)`, `trouble(error)`, `lost(unsent)`,
 * `unheld()`, `ended(error)`.
 */
export class Keeper {
  session;
  /** Sessions are of this kind: PushSession, or that of BOSH. */
  kind = PushSession;
  on;
  setup;
  closed = false;
  #store;
  #mover;
  #retry;
  /** Changes with each call of `use`. */
  #wish;
  #bornAt = 0;

  constructor(setup, store, on) {
    Object.assign(this, { setup, on });
    this.#store = store;
    this.#retry = new Backoff(setup.env);
  }

  async begin(bosh) {
    const { env, to } = this.setup;
    try {
      if (bosh) this.kind = (await this.#load()).kind;
    } catch (error) {
      this.on.trouble(error);
      return this.#retry.again(() => this.begin(bosh));
    }
    const stored = this.#store?.read();
    const saved = stored?.to === to ? stored : {};
    const release = saved.session && (await claim(env, saved.session.name.session));
    // Another tab has it, of which this one is a copy: then nothing of it is ours.
    let session = release && saved.session;
    if (session || !saved.session) this.on.restored(saved);
    if (this.closed || this.session || this.#mover?.moving) return release?.();
    if (session && bosh) {
      // BOSH cannot take it up.
      this.make(PushSession, session).close();
      session = release();
    }
    this.session = this.make(this.kind, session);
    this.session.release = release;
    this.session.start();
  }

  /** Nothing new is to be sent: a move is under way. */
  get holding() {
    return !!this.#mover?.moving;
  }

  get ready() {
    return !!this.session?.usable && !this.holding;
  }

  async use(carrier) {
    const wish = (this.#wish = {});
    if (carrier === 'bosh') await this.#load();
    if (wish !== this.#wish) throw new MochiError('superseded');
    if (this.#mover) return this.#mover.use(carrier);
    // Between two sessions it goes on with the next one at once.
    this.#retry.stop();
    return (this.session ??= this.make()).use(carrier);
  }

  wake() {
    this.session?.wake();
    this.#mover?.session?.wake();
    this.#retry.wake();
  }

  /** Stores what is to survive a reload. What is in the session's outbox need not be there twice. */
  save() {
    const session = this.session?.snapshot;
    const publishes = session && this.ready ? [] : this.on.publishes();
    const { env, to } = this.setup;
    this.#store?.write({ at: env.now(), to, session, topics: this.on.positions(), publishes });
  }

  /** The page goes away: a session that cannot be taken up again should not linger. */
  leave() {
    this.save();
    if (!this.#store || this.kind !== PushSession) this.session?.close();
  }

  /** @param keep another page goes on with the session, so it is not ended */
  close(keep) {
    this.closed = true;
    this.#retry.stop();
    this.#mover?.abandon(new MochiError('closed'));
    if (keep) {
      this.leave();
      this.session?.quit?.();
    } else {
      this.session?.close();
      this.#store?.clear();
    }
    this.session?.release?.();
    this.session = undefined;
  }

  // ---- for the mover

  make(kind = this.kind, saved) {
    const on = {
      open: (resumed) => this.#opened(session, resumed),
      state: (...news) => session === this.session && this.#state(...news),
      message: (value) => this.on.message(value, session === this.session),
      save: () => session === this.session && this.save(),
      refused: (json) => this.on.refused(json),
      trouble: (error) => this.on.trouble(error),
      gone: (why) => this.#gone(session, why),
    };
    const session = new kind({ ...this.setup, on }, saved);
    return session;
  }

  renew(error) {
    if (this.#bornAt && this.setup.env.now() - this.#bornAt > SHORT_LIFE) this.#retry.reset();
    this.#retry.again(() => (this.session = this.make()).start());
    this.on.state('reconnecting', this.kind === PushSession ? this.setup.choice.pick() : 'bosh', error);
  }

  // ----

  async #load() {
    try {
      return (this.#mover ??= new (await import('./bosh/mover.js')).Mover(this));
    } catch (cause) {
      throw new MochiError('network', 'BOSH did not load', { cause });
    }
  }

  /** A session that replaces another begins by connecting; to the page that is the same connection. */
  #state(state, ...news) {
    this.on.state(state === 'connecting' && this.#bornAt ? 'reconnecting' : state, ...news);
  }

  #opened(session, resumed) {
    const old = session === this.session ? undefined : this.session;
    if (session !== this.session) {
      this.#retry.stop();
      this.#mover.arrived();
    }
    this.#bornAt = this.setup.env.now();
    if (!resumed) this.#guard(session);
    this.on.opened(resumed);
    // All is asked for again by now, from where the old session got to.
    old?.close();
    old?.release?.();
  }

  async #guard(session) {
    if (!this.#store || !session.name) return;
    const release = await claim(this.setup.env, session.name.session);
    if (session.over) release?.();
    else session.release = release;
  }

  #gone(session, { code, message, retry, unsent }) {
    session.release?.();
    const error = new MochiError(code, message);
    if (session !== this.session) return this.#mover?.failed(session, error);
    this.session = undefined;
    this.on.lost(unsent);
    this.save();
    if (!retry) this.on.ended(error);
    else if (!this.#mover?.moving) this.renew(error);
  }
}
