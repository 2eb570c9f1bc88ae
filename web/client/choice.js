const BEST_FIRST = ['websocket', 'sse', 'longpoll'];
const FIRST_BAN = 60_000;
const LONGEST_BAN = 1_800_000;

/**
 * Which carrier to use, and the memory of those that failed.
 *
 * That a carrier failed says little while nothing else works either: then it is the network. So it is only suspected,
 * and avoided for a while once a lesser carrier has worked where it did not.
 */
export class Choice {
  /** 'auto' or the name of a carrier */
  wanted = 'auto';
  #env;
  #there;
  #suspects = new Set();
  #bans = new Map();

  constructor(env, urls, wanted) {
    this.#env = env;
    this.wanted = wanted;
    this.#there = BEST_FIRST.filter((carrier) => usable(env, urls, carrier));
  }

  has(carrier) {
    return carrier === 'auto' ? this.#there.length > 0 : this.#there.includes(carrier);
  }

  pick() {
    if (this.wanted !== 'auto') return this.wanted;
    const free = this.#there.filter((carrier) => !this.#suspects.has(carrier));
    return free.find((carrier) => !this.#banned(carrier)) ?? free[0] ?? this.#there[0];
  }

  /** The carrier did not work. Gives whether there is another to try at once. */
  failed(carrier) {
    this.#suspects.add(carrier);
    if (this.wanted === 'auto' && !this.#there.every((c) => this.#suspects.has(c) || this.#banned(c))) return true;
    this.#suspects.clear();
    return false;
  }

  /** The carrier works: those better ones that did not are to be avoided for a while, longer each time. */
  worked(carrier) {
    for (const suspect of this.#suspects) {
      if (!isBetter(suspect, carrier)) continue;
      const times = (this.#bans.get(suspect)?.times ?? 0) + 1;
      const until = this.#env.now() + Math.min(FIRST_BAN * 2 ** (times - 1), LONGEST_BAN);
      this.#bans.set(suspect, { times, until });
    }
    this.#suspects.clear();
  }

  /** The carrier worked for long: what was held against it is forgotten. */
  trusted(carrier) {
    this.#bans.delete(carrier);
  }

  /** The next better carrier to try, and when. */
  better(current) {
    if (this.wanted !== 'auto') return undefined;
    return this.#there
      .filter((carrier) => isBetter(carrier, current))
      .map((carrier) => ({ carrier, at: this.#bans.get(carrier)?.until ?? 0 }))
      .sort((a, b) => a.at - b.at)[0];
  }

  #banned(carrier) {
    return this.#bans.get(carrier)?.until > this.#env.now();
  }
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
