import { MochiError } from './error.js';
import { longpoll } from './carriers/longpoll.js';
import { sse } from './carriers/sse.js';
import { websocket } from './carriers/websocket.js';

const carriers = { longpoll, sse, websocket };
/** Milliseconds within which a connection must have spoken. Proxies that buffer a stream give no error, only silence. */
const FIRST_WORD = { websocket: 5000, sse: 5000, longpoll: 15_000 };
/** A watch that goes off this late was asleep with the whole machine: nobody knows who was silent. */
const SLEPT = 5000;

/**
 * One attachment of a session to a carrier, from the first try to its loss.
 *
 * @param waiting {resolve, reject} of somebody who waits for this attachment
 */
export function makeLink(session, carrier, waiting) {
  const { env } = session;
  let wire;
  let watch;
  let due = 0;

  const link = {
    session,
    carrier,
    /** Number of the last message of ours sent here, for a carrier that also sends. */
    sent: 0,
    /** Number of the next message of the server, where it does not say. */
    next: session.inbox.handled + 1,
    /** Its number at the server: the highest is served. */
    number: 0,
    openedAt: 0,
    done: false,

    async start() {
      expect(FIRST_WORD[carrier]);
      try {
        if (session.unsigned) await session.sign();
        if (link.done) return;
        // Only a WebSocket can create the session by itself, and it must not while a post does.
        if (carrier !== 'websocket' || session.creating) await session.create();
        if (!link.done) wire = carriers[carrier](link);
      } catch (error) {
        link.lost(error);
      }
    },

    /** The object that attaches, or creates. It is made for each connection anew: its number must rise. */
    hello() {
      const hello = session.hello(link);
      link.next = (hello.ack ?? 0) + 1;
      return hello;
    },

    /** An object of so many characters; 0: who cares does not say. */
    receive(object, size = 0) {
      if (link.done) return;
      if (!object) return link.lost(new MochiError('http', 'not push.v1'));
      session.receive(link, object, size);
      const { wait, ping } = session.agreed;
      if (!link.done) expect(2000 * Math.max(carrier === 'longpoll' ? wait : ping, 2));
    },

    opened() {
      link.openedAt = env.now();
      waiting?.resolve();
      waiting = undefined;
    },

    /** Milliseconds since it began to work. */
    get uptime() {
      return link.openedAt && env.now() - link.openedAt;
    },

    get duplex() {
      return !!wire?.send;
    },

    send: (text) => wire.send(text),

    lost(error) {
      if (link.done) return;
      link.close(error);
      session.lost(link, error);
    },

    close(error = new MochiError('superseded')) {
      if (link.done) return;
      link.done = true;
      env.clearTimeout(watch);
      wire?.close();
      waiting?.reject(error);
    },

    /** Looks at the clock now: after a sleep of the machine the watch goes off late. */
    check() {
      if (env.now() >= due) silent();
    },
  };

  const silent = () => {
    const slept = env.now() > due + SLEPT;
    link.lost(new MochiError(slept ? 'lost' : 'silent', `${carrier} is silent`));
  };

  const expect = (ms) => {
    env.clearTimeout(watch);
    due = env.now() + ms;
    watch = env.setTimeout(silent, ms);
  };

  return link;
}
