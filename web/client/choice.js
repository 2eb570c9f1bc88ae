const BEST_FIRST = ['websocket', 'sse', 'longpoll'];
const FIRST_BAN = 60_000;
const LONGEST_BAN = 1_800_000;

/**
 * Which carrier to use, and the memory of those that failed.
 *
 * That a carrier failed says little while nothing else works either: then it is the network. So it is only suspected,
 * and avoided for a while once a lesser carrier has worked where it did not.
 */
export function makeChoice(env, urls, wanted) {
  const there = BEST_FIRST.filter((carrier) => usable(env, urls, carrier));
  const suspects = new Set();
  const bans = new Map();
  const banned = (carrier) => bans.get(carrier)?.until > env.now();
  const choice = {
    /** 'auto' or the name of a carrier */
    wanted,
    has: (carrier) => (carrier === 'auto' ? there.length > 0 : there.includes(carrier)),
    pick() {
      if (choice.wanted !== 'auto') return choice.wanted;
      const free = there.filter((carrier) => !suspects.has(carrier));
      return free.find((carrier) => !banned(carrier)) ?? free[0] ?? there[0];
    },
    /** The carrier did not work. Gives whether there is another to try at once. */
    failed(carrier) {
      suspects.add(carrier);
      if (choice.wanted === 'auto' && !there.every((one) => suspects.has(one) || banned(one))) return true;
      suspects.clear();
      return false;
    },
    /** The carrier works: those better ones that did not are to be avoided for a while, longer each time. */
    worked(carrier) {
      for (const suspect of suspects) {
        if (!isBetter(suspect, carrier)) continue;
        const times = (bans.get(suspect)?.times ?? 0) + 1;
        bans.set(suspect, { times, until: env.now() + Math.min(FIRST_BAN * 2 ** (times - 1), LONGEST_BAN) });
      }
      suspects.clear();
    },
    /** The carrier worked for long: what was held against it is forgotten. */
    trusted: (carrier) => bans.delete(carrier),
    /** The next better carrier to try, and when. */
    better(current) {
      if (choice.wanted !== 'auto') return undefined;
      return there
        .filter((carrier) => isBetter(carrier, current))
        .map((carrier) => ({ carrier, at: bans.get(carrier)?.until ?? 0 }))
        .sort((a, b) => a.at - b.at)[0];
    },
  };
  return choice;
}

function isBetter(a, b) {
  return BEST_FIRST.indexOf(a) < BEST_FIRST.indexOf(b);
}

function usable(env, urls, carrier) {
  if (!urls[carrier]) return false;
  if (carrier === 'websocket') return !!env.WebSocket;
  // Messages of ours and acknowledgements go by posts beside the stream.
  return carrier === 'longpoll' || !!(env.EventSource && urls.longpoll);
}
