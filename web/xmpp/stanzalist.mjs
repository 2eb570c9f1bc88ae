import { el, say, size } from './dom.mjs';
import { pretty, secret, summary } from './pretty.mjs';
import { CLIENT, STREAMS } from './namespaces.mjs';
import { parse } from './xml.mjs';

const MOST = 500;
const KINDS = ['message', 'presence', 'iq'];

/** What the stream carried, newest first; each opens to its XML. */
export class StanzaList {
  #list;
  #count;
  #empty;
  #onedit;
  #filter = { text: '', hidden: new Set() };

  /** @param {{list: Element, count: Element, empty: Element, onedit?: (xml: string) => void}} parts */
  constructor({ list, count, empty, onedit }) {
    this.#list = list;
    this.#count = count;
    this.#empty = empty;
    this.#onedit = onedit;
  }

  add({ direction, xml, element = parse(xml, { '': CLIENT, stream: STREAMS }) }) {
    const kind = KINDS.includes(element.name) ? element.name : 'other';
    const hidden = secret(element);
    const row = el('li', { class: `stanza ${direction}`, 'data-direction': direction, 'data-kind': kind }, this.#details(direction, xml, element, hidden));
    // What is not shown is not to be found either.
    row.searched = (hidden ? element.name : xml).toLowerCase();
    this.#list.prepend(row);
    if (this.#list.children.length > MOST) this.#list.lastElementChild.remove();
    this.#judge(row);
    this.#tally();
  }

  #details(direction, xml, element, hidden) {
    const now = new Date();
    const line = el('summary', {},
      el('span', { class: 'arrow', 'aria-hidden': 'true' }, direction === 'out' ? '↑' : '↓'),
      el('span', { class: 'unseen' }, direction === 'out' ? 'sent' : 'received'),
      el('strong', {}, element.qname),
      el('span', { class: 'about' }, summary(element, direction)),
      el('span', { class: 'size' }, size(new TextEncoder().encode(xml).length)),
      el('time', { datetime: now.toISOString() }, stamp(now)));
    const details = el('details', {}, line);
    details.addEventListener('toggle', () => {
      if (details.children.length > 1) return;
      details.append(pretty(element));
      if (!hidden) details.append(this.#buttons(xml));
    });
    return details;
  }

  #buttons(xml) {
    const copy = async ({ currentTarget: button }) => {
      await navigator.clipboard?.writeText(xml);
      say(button, 'Copied');
    };
    return el('p', { class: 'row-buttons' },
      navigator.clipboard && el('button', { type: 'button', class: 'small', click: copy }, 'Copy'),
      this.#onedit && el('button', { type: 'button', class: 'small', click: () => this.#onedit(xml) }, 'Edit and send'));
  }

  /** @param {{text?: string, hidden?: Set<string>}} filter hidden has directions and kinds */
  filter(filter) {
    Object.assign(this.#filter, filter);
    for (const row of this.#list.children) this.#judge(row);
    this.#tally();
  }

  clear() {
    this.#list.replaceChildren();
    this.#tally();
  }

  #judge(row) {
    const { text, hidden } = this.#filter;
    row.hidden = hidden.has(row.dataset.direction) || hidden.has(row.dataset.kind) || !row.searched.includes(text.toLowerCase());
  }

  #tally() {
    const rows = [...this.#list.children];
    const shown = rows.filter((row) => !row.hidden).length;
    say(this.#count, shown === rows.length ? String(rows.length) : `${shown} of ${rows.length}`);
    this.#empty.hidden = shown > 0;
    say(this.#empty, rows.length ? 'No stanza fits the filter.' : 'What goes over the stream shows up here.');
  }
}

function stamp(date) {
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
