import { exchange } from '../http.js';

/** A held poll that long was cut by something on the way, not by bad luck. */
const CUT = 5000;
/** Pause before asking again when the last answer was of no use. */
const REST = 1000;

/** One poll after the other (docs/push-v1.md, 4.1); what we send goes by posts beside them. */
export function longpoll(link) {
  const poll = { abort: undefined };
  loop(link, poll).catch((error) => link.lost(error));
  return { close: () => poll.abort?.abort() };
}

async function loop(link, current) {
  const { session } = link;
  const { env, urls } = session;
  // The first poll is answered at once, which proves that polls work before anybody relies on it.
  for (let first = true; !link.done; first = false) {
    const wait = first ? 0 : session.pollWait;
    const received = session.inbox.received;
    const started = env.now();
    link.receive(await poll({ ...link.hello(), wait }));
    const useless = session.inbox.received === received && env.now() - started < REST;
    // An answer of this kind may come for ever: from a cache, or because a handler has not acknowledged yet. A poll
    // says how far the handlers are, and is answered at once with all beyond that.
    if ((useless && !first) || session.inbox.handled < session.inbox.received) await session.rest(REST);
  }

  async function poll(object) {
    const started = env.now();
    const abort = (current.abort = new AbortController());
    try {
      return await exchange(env, urls.longpoll, JSON.stringify(object), { abort });
    } catch (error) {
      const held = env.now() - started;
      // A proxy with a shorter patience than ours: ask for a shorter wait from now on.
      if (held > CUT && !link.done) session.pollWait = Math.floor((held / 1000) * 0.8);
      throw error;
    }
  }
}
