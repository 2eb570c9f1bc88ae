import { $, el, hidden } from './dom.js';
import { names } from './text.js';

/** Who types says so at most this often, and is forgotten a little later. */
const EVERY = 2500;
const LASTS = 4000;
/** After a reconnect, old news comes in a burst: who typed then has stopped long since. */
const STALE = 700;

/** Says that we type, and shows who else does. */
export class Typing {
  #said = 0;
  #others = new Map();
  #deafUntil = 0;

  /** @param say publishes an object to those in the open room, or does nothing while there is no connection */
  constructor(say) {
    this.say = say;
  }

  /** Something was typed, and this is there now. */
  typed(text) {
    const now = Date.now();
    if (text === '') return this.stopped();
    if (now - this.#said < EVERY) return;
    this.#said = now;
    this.say({ typing: true });
  }

  /** The text is gone: deleted, or sent, which says it by itself. */
  stopped({ sent = false } = {}) {
    if (this.#said && !sent) this.say({ typing: false });
    this.#said = 0;
  }

  heard({ by, name, typing }) {
    this.forget(by);
    if (typing !== true || typeof by !== 'string' || Date.now() < this.#deafUntil) return;
    const timer = setTimeout(() => this.forget(by), LASTS);
    this.#others.set(by, { name: String(name).slice(0, 32), timer });
    this.#draw();
  }

  forget(by) {
    const other = this.#others.get(by);
    if (!other) return;
    clearTimeout(other.timer);
    this.#others.delete(by);
    this.#draw();
  }

  /** Another room, or a new connection. */
  reset() {
    for (const { timer } of this.#others.values()) clearTimeout(timer);
    this.#others.clear();
    this.#said = 0;
    this.#deafUntil = Date.now() + STALE;
    this.#draw();
  }

  #draw() {
    const who = [...this.#others.values()].map(({ name }) => name);
    const line = $('typing');
    line.dataset.names = who.join(', ');
    if (who.length === 0) return line.replaceChildren();
    const dots = el('span', { class: 'dots', 'aria-hidden': 'true' }, el('i'), el('i'), el('i'));
    line.replaceChildren(dots, el('span', {}, `${names(who)} ${who.length === 1 ? 'is' : 'are'} typing`), hidden('…'));
  }
}
