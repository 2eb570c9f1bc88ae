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
  const { env, outgoing: outbox } = session;
  const retry = makeBackoff(env);
  let posting = false;
  let ackSent = 0;
  let ackDue = false;
  let ackTimer;
  let heard = 0;

  function pump() {
    const { link } = session;
    if (!link) return;
    if (link.send) overLink(link);
    else if (!posting) post();
  }

  function ackNow() {
    ackDue = true;
    pump();
  }

  function nextBatch(after) {
    return outbox.batch(after, session.agreed.limits.window, session.room) ?? (ackDue && {});
  }

  function overLink(link) {
    for (let batch; (batch = nextBatch(Math.max(link.sent, outbox.acked))); ) {
      link.send(session.object({}, batch));
      link.sent = batch.last ?? link.sent;
    }
  }

  async function post() {
    const batch = nextBatch(outbox.acked);
    if (!batch) return;
    posting = true;
    try {
      const text = session.object(session.name, batch);
      session.answered(await session.exchange(text, { timeout: PATIENCE }));
      if (batch.last > outbox.acked) throw new MochiError('http', 'not push.v1');
      retry.reset();
      resume();
    } catch (error) {
      session.troubled(error);
      if (session.over) return;
      ackDue = true;
      // The posts have a back-off of their own: polls may work well while posts do not.
      retry.plan(resume, error.retryAfter);
    }
  }

  function resume() {
    posting = false;
    pump();
  }

  return {
    pump,
    wake: retry.wake,

    /** So many characters came from the server. */
    heard(size) {
      heard += size;
    },

    /** A handler finished. Long-polls carry the acknowledgement by themselves. */
    handled() {
      const { link, ack, agreed } = session;
      if (!link || link.polls || ack <= ackSent) return;
      if (ack - ackSent >= ACK_COUNT || heard > agreed.limits.outbox * ACK_PART) ackNow();
      else ackTimer ??= env.setTimeout(ackNow, ACK_DELAY);
    },

    /** The acknowledgement was in an object that the session made. */
    acknowledged(ack) {
      ackSent = ack;
      ackDue = false;
      heard = 0;
      env.clearTimeout(ackTimer);
      ackTimer = undefined;
    },

    stop() {
      retry.stop();
      env.clearTimeout(ackTimer);
    },
  };
}
