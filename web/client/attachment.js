import { makeBackoff } from './backoff.js';
import { MochiError } from './error.js';
import { makeLink } from './link.js';

/** A link younger than this when it is lost did not really work; one older than that did. */
const PROVEN = 10_000;
const TRUSTED = 60_000;
/** How often another may take the session over before we leave it to them. */
const STEALS = 3;
/** The end of a session that another page uses. */
export const ROBBED = { code: 'replaced', message: 'used elsewhere', retry: true };
/** These say nothing of the carrier by which we learnt them. */
const BLAMELESS = ['replaced', 'unauthorized', 'expired', 'token'];

/**
 * Keeps a session attached: tries carriers, moves between them, comes back after a loss.
 *
 * There are at most two links at a time, the one that works and a candidate beside it. The candidate takes over with
 * its first word (docs/push-v1.md, 4.4).
 */
export function makeAttachment(session, choice) {
  const { env } = session;
  const retry = makeBackoff(env);
  let candidate;
  let upgrade;
  let steals = 0;
  /** A candidate was given up, and may attach when nobody waits for it any more. */
  let ghost = false;
  let everWorked = false;

  const attachment = {
    /** The link that works, if any. */
    link: undefined,

    /** Whether another carrier is being tried beside the link that works. */
    get moving() {
      return !!attachment.link && !!candidate;
    },

    connect() {
      const carrier = choice.pick();
      tell(carrier);
      attempt(carrier);
    },

    /** Moves to another carrier, or lets us choose ('auto'). */
    use(carrier) {
      const { link } = attachment;
      const before = choice.wanted;
      choice.wanted = carrier;
      if (carrier === 'auto' || link?.carrier === carrier) {
        if (link) {
          dropCandidate();
          planUpgrade();
        } else attachment.wake();
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const back = (error) => {
          if (choice.wanted === carrier) choice.wanted = before;
          reject(error);
        };
        attempt(carrier, { resolve, reject: back });
      });
    },

    /** A link had its first word. */
    spoke(link) {
      if (link !== candidate) return;
      const old = attachment.link;
      attachment.link = link;
      candidate = undefined;
      ghost = false;
      everWorked = true;
      link.sent = session.outbox.acked;
      old?.close();
      link.opened();
      session.attached(link);
      if (attachment.link === link) settled();
    },

    lost(link, error) {
      if (link === attachment.link) attachment.link = undefined;
      else giveUp();
      session.troubled(error);
      if (!candidate && error.code === 'replaced') robbed(link);
      if (session.over) return;
      const another = judge(link, error);
      if (candidate) return;
      // An attempt to move failed, and the old link never noticed.
      if (attachment.link) return settled();
      if (another) return attachment.connect();
      retry.again(attachment.connect, error.retryAfter);
      tell(link.carrier, error);
    },

    /** The network is back, or somebody looks at the page. */
    wake() {
      attachment.link?.check();
      candidate?.check();
      retry.wake();
    },

    stop() {
      const error = new MochiError('closed');
      retry.stop();
      env.clearTimeout(upgrade);
      attachment.link?.close(error);
      dropCandidate(error);
      attachment.link = undefined;
    },
  };

  /** Attaches beside whatever there is: the newest wins at the server, and here once it has spoken. */
  function attempt(carrier, waiting) {
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
    choice.worked(attachment.link.carrier);
    planUpgrade();
  }

  /** Tries a better carrier after a while. That costs nothing if it works, and little if not. */
  function planUpgrade() {
    env.clearTimeout(upgrade);
    const { link } = attachment;
    const up = choice.better(link.carrier);
    if (!up) return;
    const go = () => link === attachment.link && !candidate && attempt(up.carrier);
    upgrade = env.setTimeout(go, Math.max(up.at - env.now(), 0));
  }

  /** Draws conclusions about a carrier from the loss of a link. Gives whether to try another at once. */
  function judge({ uptime, carrier }, { code }) {
    if (uptime > PROVEN) retry.reset();
    if (uptime > TRUSTED && code !== 'silent') choice.trusted(carrier);
    if (BLAMELESS.includes(code)) return false;
    return (uptime < PROVEN || code === 'silent') && choice.failed(carrier);
  }

  /**
   * Our number is behind, or that was a copy of a poll, or a candidate long given up: then we jump ahead. Or another
   * page uses the session: we leave it to them, or the two would take it from each other for ever.
   */
  function robbed(link) {
    const ours = !link.openedAt || ghost || link.carrier === 'longpoll';
    if (link.uptime > TRUSTED) steals = 0;
    session.jump(10 ** ++steals);
    if (!ours || steals > STEALS) session.finish(ROBBED);
  }

  function tell(carrier, error) {
    session.on.state(everWorked ? 'reconnecting' : 'connecting', carrier, error);
  }

  return attachment;
}
