const FIRST_BAN = 60_000;
const LONGEST_BAN = 1_800_000;

/**
 * Which carrier to use, and the memory of those that failed.
 *
 * That a carrier failed says little while nothing else works either: then it is the network. So it is only suspected,
 * and avoided for a while once a lesser carrier has worked where it did not.
 */
export function makeChoice(env, urls, wanted) {
  // The best first. Messages of ours and acknowledgements go by posts beside an event stream.
  const possible = { websocket: env.WebSocket, sse: urls.longpoll && env.EventSource, longpoll: true };
  const there = Object.keys(possible)
    .filter((name) => possible[name] && urls[name])
    .map((name) => ({ name, suspected: false, bans: 0, bannedUntil: 0 }));
  const find = (name) => there.find((one) => one.name === name);
  const betterThan = (name) => there.slice(0, there.indexOf(find(name)));
  const isBanned = ({ bannedUntil }) => bannedUntil > env.now();

  function forgive() {
    for (const one of there) one.suspected = false;
  }

  const choice = {
    /** 'auto' or the name of a carrier */
    wanted,

    has: (name) => (name === 'auto' ? there.length : find(name)),

    pick() {
      if (choice.wanted !== 'auto') return choice.wanted;
      const free = there.filter(({ suspected }) => !suspected);
      return (free.find((one) => !isBanned(one)) ?? free[0]).name;
    },

    /** The carrier did not work. Gives whether there is another to try at once. */
    suspect(name) {
      find(name).suspected = true;
      const another = choice.wanted === 'auto' && there.some((one) => !one.suspected && !isBanned(one));
      if (!another) forgive();
      return another;
    },

    /** The carrier works: those better ones that did not are to be avoided for a while, longer each time. */
    worked(name) {
      for (const one of betterThan(name)) {
        if (one.suspected) one.bannedUntil = env.now() + Math.min(FIRST_BAN * 2 ** one.bans++, LONGEST_BAN);
      }
      forgive();
    },

    /** The carrier worked for long: what was held against it is forgotten. */
    trusted(name) {
      Object.assign(find(name), { bans: 0, bannedUntil: 0 });
    },

    /** The next better carrier to try. */
    better(name) {
      return choice.wanted === 'auto' && betterThan(name).sort((a, b) => a.bannedUntil - b.bannedUntil)[0];
    },
  };
  return choice;
}
