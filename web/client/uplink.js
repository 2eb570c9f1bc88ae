import { exchange } from './http.js';
import { makeBackoff } from './backoff.js';
import { MochiError } from './error.js';

/** Milliseconds that a post of messages may take: the server delays its answer while its backend is behind. */
const PATIENCE = 30_000;
/**
 * An acknowledgement that rides on nothing goes alone after this time, this many messages, or this part of what the
 * server keeps: it costs as much as a message, and only frees what the server keeps until then.
 */
const ACK_DELAY = 5000;
const ACK_COUNT = 64;
const ACK_PART = 1 / 4;

/** Sends what the session has to say: on the link if that goes both ways, else by posts beside it. */
export function makeUplink(session) {
  const { env, outbox } = session;
  const retry = makeBackoff(env);
  let posting = false;
  let ackSent = 0;
  let ackDue = false;
  let ackTimer;
  let unacknowledged = 0;

  const batchAfter = (after) => {
    const batch = outbox.batch(after, session.agreed.limits.window, session.room);
    return batch || ackDue ? (batch ?? {}) : undefined;
  };

  const ackNow = () => {
    ackDue = true;
    ackTimer = undefined;
    uplink.pump();
  };

  const resume = () => {
    posting = false;
    uplink.pump();
  };

  const post = async () => {
    const batch = batchAfter(outbox.acked);
    if (!batch) return;
    posting = true;
    try {
      const text = session.object(session.name, batch);
      session.answered(await exchange(env, session.urls.longpoll, text, { timeout: PATIENCE }));
      if (session.over) return;
      if (batch.last > outbox.acked) throw new MochiError('http', 'not acknowledged');
      retry.reset();
    } catch (error) {
      session.troubled(error);
      if (session.over) return;
      ackDue = true;
      // The posts have a back-off of their own: polls may work well while posts do not.
      retry.again(resume, error.retryAfter);
      return;
    }
    resume();
  };

  const uplink = {
    pump() {
      const { link } = session;
      if (link?.duplex) {
        for (let batch; (batch = batchAfter(Math.max(link.sent, outbox.acked))); ) {
          link.send(session.object({}, batch));
          link.sent = batch.last ?? link.sent;
        }
      } else if (link && !posting) post();
    },

    /** So many characters came from the server. */
    heard(size) {
      unacknowledged += size;
    },

    /** A handler finished. Long-polls carry the acknowledgement by themselves. */
    handled() {
      const { link, ack } = session;
      if (!link || link.carrier === 'longpoll' || ack <= ackSent) return;
      const much = ack - ackSent >= ACK_COUNT || unacknowledged > session.agreed.limits.outbox * ACK_PART;
      if (much) ackNow();
      else ackTimer ??= env.setTimeout(ackNow, ACK_DELAY);
    },

    /** The acknowledgement was in an object that the session made. */
    acknowledged(ack) {
      ackSent = ack;
      ackDue = false;
      unacknowledged = 0;
      env.clearTimeout(ackTimer);
      ackTimer = undefined;
    },

    wake: retry.wake,

    stop() {
      retry.stop();
      env.clearTimeout(ackTimer);
    },
  };
  return uplink;
}
