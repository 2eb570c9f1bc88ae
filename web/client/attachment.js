import { makeBackoff } from './backoff.js';
import { makeTimer } from './timer.js';
import { makeLink } from './link.js';
import { MochiError } from './error.js';

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
export function makeAttachment(session, choice) {
  const { env, on } = session;
  const retry = makeBackoff(env);
  const upgrade = makeTimer(env);
  /** The link that works, if any. */
  let link;
  let candidate;
  let steals = 0;
  /** A candidate was given up, and may attach when nobody waits for it any more. */
  let ghost = false;
  let everWorked = false;

  function connect() {
    const carrier = choice.pick();
    tell(carrier);
    attach(carrier);
  }

  /** Attaches beside whatever there is: the newest wins at the server, and here once it has spoken. */
  function attach(carrier, waiting) {
    retry.stop();
    dropCandidate();
    candidate = makeLink(session, carrier, waiting);
    candidate.start();
  }

  function dropCandidate(error) {
    const dropped = candidate;
    if (dropped) giveUp();
    dropped?.close(error);
  }

  function giveUp() {
    candidate = undefined;
    ghost = true;
  }

  /** The link that there is will do. */
  function settled() {
    choice.worked(link.carrier);
    planUpgrade();
  }

  /** Tries a better carrier after a while. That costs nothing if it works, and little if not. */
  function planUpgrade() {
    const from = link;
    const up = choice.better(from.carrier);
    const attempt = () => from === link && !candidate && attach(up.name);
    upgrade(up && attempt, Math.max(up?.bannedUntil - env.now(), 0));
  }

  /** The network is back, or somebody looks at the page. */
  function wake() {
    link?.check();
    candidate?.check();
    retry.wake();
  }

  /** Draws conclusions about a carrier from the loss of a link. Gives whether to try another at once. */
  function judge({ age, carrier }, { code }) {
    if (age > PROVEN) retry.reset();
    if (age > TRUSTED && code !== 'silent') choice.trusted(carrier);
    return !BLAMELESS.includes(code) && (age < PROVEN || code === 'silent') && choice.suspect(carrier);
  }

  /**
   * Our number is behind, or that was a copy of a poll, or a candidate long given up: then we jump ahead. Or another page uses the
   * session: we leave it to them, or the two would take it from each other for ever.
   */
  function robbed({ openedAt, polls, age }) {
    const ours = !openedAt || ghost || polls;
    if (age > TRUSTED) steals = 0;
    session.attach += 10 ** ++steals;
    if (!ours || steals > STEALS) session.usedElsewhere();
  }

  function tell(carrier, error) {
    on.state(everWorked ? 'reconnecting' : 'connecting', carrier, error);
  }

  return {
    connect,
    wake,

    get link() {
      return link;
    },

    /** Whether another carrier is being tried beside the link that works. */
    get moving() {
      return link && candidate;
    },

    /** Moves to another carrier, or lets us choose ('auto'). */
    use(carrier) {
      const before = choice.wanted;
      choice.wanted = carrier;
      if (carrier === 'auto' || link?.carrier === carrier) {
        if (!link) return wake();
        dropCandidate();
        return planUpgrade();
      }
      return new Promise((resolve, reject) => attach(carrier, { resolve, reject })).catch((error) => {
        if (choice.wanted === carrier) choice.wanted = before;
        throw error;
      });
    },

    /** A link had its first word. */
    spoke(speaker) {
      if (speaker !== candidate) return;
      const old = link;
      link = speaker;
      candidate = undefined;
      ghost = false;
      everWorked = true;
      link.sent = session.outgoing.acked;
      old?.close();
      link.opened();
      session.attached(link);
      if (link === speaker) settled();
    },

    lost(loser, error) {
      if (loser === link) link = undefined;
      else giveUp();
      session.troubled(error);
      if (!candidate && error.code === 'replaced') robbed(loser);
      if (session.over) return;
      const another = judge(loser, error);
      if (candidate) return;
      // An attempt to move failed, and the old link never noticed.
      if (link) return settled();
      if (another) return connect();
      retry.plan(connect, error.retryAfter);
      tell(loser.carrier, error);
    },

    stop() {
      retry.stop();
      upgrade();
      link?.close();
      dropCandidate(new MochiError('closed'));
      link = undefined;
    },
  };
}
