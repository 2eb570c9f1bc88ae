import { MochiError } from './error.js';
import { longpoll } from './carriers/longpoll.js';
import { websocket } from './carriers/websocket.js';
import { sse } from './carriers/sse.js';
import { makeTimer } from './timer.js';

const carriers = { longpoll, sse, websocket };
/** Milliseconds within which a connection must have spoken. Proxies that buffer a stream give no error, only silence. */
const FIRST_WORD = 5000;
const FIRST_ANSWER = 15_000;
/** A watch that goes off this late was asleep with the whole machine: nobody knows who was silent. */
const SLEPT = 5000;

/**
 * One attachment of a session to a carrier, from the first try to its loss.
 *
 * @param waiting {resolve, reject} of somebody who waits for this attachment
 */
export function makeLink(session, carrier, waiting) {
  const { env } = session;
  const polls = carrier === 'longpoll';
  const watch = makeTimer(env);
  let due = 0;
  let wire;

  function silent() {
    lost(new MochiError(env.now() > due + SLEPT ? 'lost' : 'silent', `${carrier} is silent`));
  }

  function expect(ms) {
    due = env.now() + ms;
    watch(silent, ms);
  }

  function lost(error) {
    if (link.done) return;
    link.close(error);
    session.lost(link, error);
  }

  const link = {
    carrier,
    polls,
    /** Number of the last message of ours sent here, for a carrier that also sends. */
    sent: 0,
    /** Number of the next message of the server, where it does not say. */
    next: 1,
    openedAt: 0,
    /** Its number at the server: the highest is served. */
    number: 0,
    done: false,
    lost,

    start() {
      const begin = () => link.done || (wire = carriers[carrier](link, session));
      expect(polls ? FIRST_ANSWER : FIRST_WORD);
      session.prepare(link).then(begin).catch(lost);
    },

    /** An object of so many characters; 0: who cares does not say. */
    receive(object, size = 0) {
      if (link.done) return;
      if (!object) return lost(new MochiError('http', 'not push.v1'));
      session.receive(link, object, size);
      const { wait, ping } = session.agreed;
      // Twice the time in which the server says something.
      if (!link.done) expect(2000 * Math.max(polls ? wait : ping, 2));
    },

    opened() {
      link.openedAt = env.now();
      waiting?.resolve();
    },

    /** Milliseconds since it began to work. */
    get age() {
      return link.openedAt && env.now() - link.openedAt;
    },

    /** Sends a text, if the carrier goes both ways. */
    get send() {
      return wire?.send;
    },

    close(error = new MochiError('superseded')) {
      if (link.done) return;
      link.done = true;
      watch();
      wire?.close();
      waiting?.reject(error);
    },

    /** Looks at the clock now: after a sleep of the machine the watch goes off late. */
    check() {
      if (env.now() >= due) silent();
    },
  };
  return link;
}
