import { $, el, hidden } from './dom.js';
import { face, hue } from './face.js';
import { carrierName, carriers, tag } from './carrier.js';

/** Somebody who moves to another carrier leaves and comes back at once. Nobody wants to see that. */
const GRACE = 1500;

/** Who is in the open room, and over what. */
export class Members {
  #me;
  #infos = new Map();
  #leaving = new Map();
  #gone = new Set();

  /** @param me {by, name, carrier}: always shown, and never taken from what the server says */
  constructor(me) {
    this.#me = me;
  }

  /** Begins anew, with those that the server named. */
  set(members = []) {
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#leaving.clear();
    this.#infos = new Map(members.map(({ member, info }) => [member, info]));
    this.#draw();
  }

  join({ member, info }) {
    clearTimeout(this.#leaving.get(member));
    this.#leaving.delete(member);
    // The newest of several sessions of the same person counts, so it goes to the end.
    this.#infos.delete(member);
    this.#infos.set(member, info);
    this.#draw();
  }

  leave({ member }) {
    const gone = () => {
      this.#leaving.delete(member);
      this.#infos.delete(member);
      this.#draw();
    };
    clearTimeout(this.#leaving.get(member));
    this.#leaving.set(member, setTimeout(gone, GRACE));
  }

  /** A page was closed, or loaded again. Its session may last a while longer, but nobody looks at it any more. */
  left(visit) {
    const gone = () => {
      this.#gone.add(visit);
      this.#draw();
    };
    const isShown = [...this.#infos.values()].some((info) => info?.visit === visit);
    setTimeout(gone, isShown ? GRACE : 0);
  }

  /** Something about ourselves changed. */
  refresh() {
    this.#draw();
  }

  /** Everybody once, ourselves first. */
  #all() {
    const people = new Map();
    for (const [member, info] of this.#infos) {
      if (this.#gone.has(info?.visit)) continue;
      const name = typeof info?.name === 'string' ? info.name.slice(0, 32).trim() : '';
      const by = typeof info?.by === 'string' ? info.by : member;
      people.set(by, { by, name: name || 'somebody', carrier: info?.carrier });
    }
    people.delete(this.#me.by);
    const others = [...people.values()].sort((a, b) => a.name.localeCompare(b.name));
    return [{ ...this.#me, mine: true }, ...others];
  }

  #draw() {
    const all = this.#all();
    $('members').replaceChildren(...all.map(row));
    $('legend').replaceChildren(...carriers.map((carrier) => count(carrier, all)));
    $('people-count').textContent = all.length;
    $('members').dataset.count = all.length;
  }
}

function row({ name, carrier, mine }) {
  const label = el('span', { class: 'name' }, name);
  label.style.setProperty('--hue', hue(name));
  return el(
    'li',
    { class: 'member', data: { testid: 'member', name, carrier: carrier ?? '', mine: mine ? '' : undefined } },
    face(name, 30),
    label,
    mine && el('span', { class: 'you' }, 'you'),
    // We have none before the first connection.
    (carrier || !mine) && tag(carrier),
  );
}

function count(carrier, all) {
  const n = all.filter((member) => member.carrier === carrier).length;
  return el('li', { data: { carrier, count: n } }, hidden(`${carrierName(carrier)}: `), tag(carrier), el('span', { class: 'n' }, n));
}
