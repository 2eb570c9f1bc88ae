import { Backoff } from './backoff.js';
import { MochiError } from './error.js';
import { Link } from './link.js';

/** A link younger than this when it is lost did not really work; one older than that did. */
const PROVEN = 10_000;
const TRUSTED = 60_000;
/** How often another may take the session over before we leave it to them. */
const STEALS = 3;
/** These say nothing of the carrier by which we learnt them. */
const BLAMELESS = ['replaced', 'unauthorized', 'expired', 'token'];

/**
 * Keeps a session attached: tries carriers, moves between them, comes back after a loss.
 *
 * There are at most two links at a time, the one that works and a candidate beside it. The candidate takes over with
 * its first word (docs/push-v1.md, 4.4).
 */
export class Attachment {
  /** The link that works, if any. */
  link;
  #session;
  #choice;
  #candidate;
  #retry;
  #upgrade;
  #steals = 0;
  /** A candidate was given up, and may attach when nobody waits for it any more. */
  #ghost = false;
  #everWorked = false;

  constructor(session, choice) {
    this.#session = session;
    this.#choice = choice;
    this.#retry = new Backoff(session.env);
  }

  /** Whether another carrier is being tried beside the link that works. */
  get moving() {
    return !!this.link && !!this.#candidate;
  }

  connect() {
    const carrier = this.#choice.pick();
    this.#tell(carrier);
    this.#try(carrier);
  }

  /** Moves to another carrier, or lets us choose ('auto'). */
  use(carrier) {
    const before = this.#choice.wanted;
    this.#choice.wanted = carrier;
    if (carrier === 'auto' || this.link?.carrier === carrier) {
      if (this.link) this.#dropCandidate();
      if (this.link) this.#planUpgrade();
      else this.wake();
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const back = (error) => {
        if (this.#choice.wanted === carrier) this.#choice.wanted = before;
        reject(error);
      };
      this.#try(carrier, { resolve, reject: back });
    });
  }

  /** A link had its first word. */
  spoke(link) {
    if (link !== this.#candidate) return;
    const old = this.link;
    this.link = link;
    this.#candidate = undefined;
    this.#ghost = false;
    this.#everWorked = true;
    link.sent = this.#session.outbox.acked;
    old?.close();
    link.opened();
    this.#session.attached(link);
    if (this.link === link) this.#settled();
  }

  lost(link, error) {
    if (link === this.link) this.link = undefined;
    else this.#giveUp();
    this.#session.troubled(error);
    if (!this.#candidate && error.code === 'replaced') this.#robbed(link);
    if (this.#session.over) return;
    const another = this.#judge(link, error);
    if (this.#candidate) return;
    // An attempt to move failed, and the old link never noticed.
    if (this.link) return this.#settled();
    if (another) return this.connect();
    this.#retry.again(() => this.connect(), error.retryAfter);
    this.#tell(link.carrier, error);
  }

  /** The network is back, or somebody looks at the page. */
  wake() {
    this.link?.check();
    this.#candidate?.check();
    this.#retry.wake();
  }

  stop() {
    this.#retry.stop();
    this.#session.env.clearTimeout(this.#upgrade);
    this.link?.close(new MochiError('closed'));
    this.#dropCandidate(new MochiError('closed'));
    this.link = undefined;
  }

  /** Attaches beside whatever there is: the newest wins at the server, and here once it has spoken. */
  #try(carrier, waiting) {
    this.#retry.stop();
    this.#dropCandidate();
    this.#candidate = new Link(this.#session, carrier, waiting);
    this.#candidate.start();
  }

  #dropCandidate(error) {
    const candidate = this.#candidate;
    if (candidate) this.#giveUp();
    candidate?.close(error);
  }

  #giveUp() {
    this.#candidate = undefined;
    this.#ghost = true;
  }

  /** The link that there is will do. */
  #settled() {
    this.#choice.worked(this.link.carrier);
    this.#planUpgrade();
  }

  /** Tries a better carrier after a while. That costs nothing if it works, and little if not. */
  #planUpgrade() {
    const { env } = this.#session;
    env.clearTimeout(this.#upgrade);
    const { link } = this;
    const up = this.#choice.better(link.carrier);
    if (!up) return;
    const attempt = () => link === this.link && !this.#candidate && this.#try(up.carrier);
    this.#upgrade = env.setTimeout(attempt, Math.max(up.at - env.now(), 0));
  }

  /** Draws conclusions about a carrier from the loss of a link. Gives whether to try another at once. */
  #judge({ age, carrier }, { code }) {
    if (age > PROVEN) this.#retry.reset();
    if (age > TRUSTED && code !== 'silent') this.#choice.trusted(carrier);
    if (BLAMELESS.includes(code)) return false;
    return (age < PROVEN || code === 'silent') && this.#choice.failed(carrier);
  }

  /**
   * Our number is behind, or that was a copy of a poll, or a candidate long given up: then we jump ahead. Or another page uses the
   * session: we leave it to them, or the two would take it from each other for ever.
   */
  #robbed(link) {
    const ours = !link.openedAt || this.#ghost || link.carrier === 'longpoll';
    if (link.age > TRUSTED) this.#steals = 0;
    this.#session.jump(10 ** ++this.#steals);
    if (!ours || this.#steals > STEALS) this.#session.finish({ code: 'replaced', message: 'used elsewhere', retry: true });
  }

  #tell(carrier, error) {
    this.#session.on.state(this.#everWorked ? 'reconnecting' : 'connecting', carrier, error);
  }
}
