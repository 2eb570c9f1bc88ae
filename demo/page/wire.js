import { $, el } from './dom.js';

const MOST = 200;

/** What happened on the wire, for those who want to look behind the chat. */
export class Wire {
  #list = $('wire-lines');
  #requests = 0;

  /** @param kind 'good', 'wait', 'trouble', 'socket' or 'request' */
  note(kind, text) {
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
    const now = new Date();
    list.append(el('li', { data: { kind, testid: 'wire-line' } }, el('time', { datetime: now.toISOString(), title: now.toISOString() }, stamp(now)), el('span', {}, text)));
    if (list.children.length > MOST) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
    if (kind !== 'request') return;
    this.#requests++;
    $('wire-sum').textContent = `${this.#requests} request${this.#requests === 1 ? '' : 's'}`;
  }
}

function stamp(date) {
  const two = (n) => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
