import { el } from './dom.mjs';
import { look } from './timeline.mjs';

const BEHIND = 4;
const words = { free: 'free', done: 'answered', holding: 'held', carrying: 'on its way', repeating: 'to be repeated', answered: 'answered, in its turn' };

/** The window of requests (XEP-0124 §14.2): the last rids that were answered, those open, and those that may be used. */
export class WindowStrip {
  #list;
  #shown = '';

  constructor(list) {
    this.#list = list;
  }

  /** @param {import('./bosh.mjs').BoshSession} session */
  show(session) {
    const { first, next, last } = session.window;
    const open = new Map(session.open.map((request) => [request.rid, request]));
    const cells = [];
    for (let rid = first - BEHIND; rid <= Math.max(last, next - 1); rid++) cells.push([rid, state(rid, first, open.get(rid))]);
    const shown = `${cells.join()} ${session.acknowledged}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.replaceChildren(...cells.map(([rid, kind]) => cell(rid, kind, rid === session.acknowledged)));
  }

  clear() {
    this.#shown = '';
    this.#list.replaceChildren();
  }
}

function state(rid, first, request) {
  if (rid < first) return 'done';
  if (!request) return 'free';
  if (request.state === 'answered') return 'answered';
  if (request.state === 'waiting') return 'repeating';
  return look(request);
}

function cell(rid, kind, acknowledged) {
  const about = `rid ${rid}: ${words[kind]}${acknowledged ? '; the server has all up to here' : ''}`;
  return el('li', { class: `rid-cell ${kind}${acknowledged ? ' acked' : ''}`, title: about, 'data-state': kind },
    el('span', { 'aria-hidden': 'true' }, String(rid).slice(-3)), el('span', { class: 'unseen' }, about));
}
