/** A held poll that long was cut by something on the way, not by bad luck. */
const CUT = 5000;
/** Pause before asking again when the last answer was of no use. */
const REST = 1000;

/** One poll after the other (docs/push-v1.md, 4.1); what we send goes by posts beside them. */
export function longpoll(link, session) {
  const { env, inbox } = session;
  let abort;

  async function loop() {
    // The first poll is answered at once, which proves that polls work before anybody relies on it.
    for (let first = true; !link.done; first = false) {
      const { received } = inbox;
      const started = env.now();
      link.receive(await poll({ ...session.hello(link), wait: first ? 0 : session.holdFor }, started));
      const useless = inbox.received === received && env.now() - started < REST;
      // An answer of this kind may come for ever: from a cache, or because a handler has not acknowledged yet. A poll
      // says how far the handlers are, and is answered at once with all beyond that.
      if ((useless && !first) || inbox.handled < inbox.received) await session.rest(REST);
    }
  }

  async function poll(object, started) {
    abort = new AbortController();
    try {
      return await session.exchange(JSON.stringify(object), { abort });
    } catch (error) {
      const held = env.now() - started;
      // A proxy with a shorter patience than ours: ask for a shorter wait from now on.
      if (held > CUT && !link.done) session.holdFor = Math.floor((held / 1000) * 0.8);
      throw error;
    }
  }

  loop().catch(link.lost);
  return { close: () => abort?.abort() };
}
