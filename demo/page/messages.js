import { $, el, hidden, icon } from './dom.js';
import { face, hue } from './face.js';
import { tag } from './carrier.js';
import { dayName, isPictures, names, rich, time, timeElement } from './text.js';

/** Messages of one author with less than this between them stand together. */
const TOGETHER = 5 * 60_000;
/** Who is this close to the end, in pixels, follows it. */
const NEAR = 90;

const states = {
  pending: { drawing: 'clock', word: 'waiting to be sent' },
  sent: { drawing: 'check', word: 'sent' },
  failed: { drawing: 'alert', word: 'not sent' },
};

/** The messages of the open room. */
export class MessageList {
  #me;
  #retry;
  #room;
  #rows = new Map();
  #follows = true;
  #missed = [];
  #list = $('messages');
  #scroller = $('scroller');

  /** @param me {by}; @param retry called with a message that failed, to try it again */
  constructor(me, retry) {
    this.#me = me;
    this.#retry = retry;
    this.#scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    $('jump').addEventListener('click', () => this.#toEnd());
    // Keyboards that come up on the screen, and windows that change, must not hide the end.
    new ResizeObserver(() => this.#follows && this.#toEnd()).observe(this.#scroller);
  }

  /** Shows a room, with a mark before what is unread. */
  show(room) {
    this.#room = room;
    this.#rows.clear();
    this.#list.replaceChildren();
    for (const message of room.messages) this.#list.append(this.#row(message));
    this.#mark(room.unread);
    this.#group();
    this.#toEnd();
  }

  /** A message is new, or it changed its place or state. */
  put(message, { fresh = false } = {}) {
    const mine = message.by === this.#me.by;
    const row = this.#rows.get(message) ?? this.#row(message);
    this.#state(row, message);
    const next = this.#rows.get(this.#room.messages[this.#room.messages.indexOf(message) + 1]) ?? null;
    // Moving a row that is in its place already would start its animation again.
    if (!row.isConnected || row.nextElementSibling !== next) this.#list.insertBefore(row, next);
    if (fresh) row.classList.add('fresh');
    this.#trim();
    this.#group();
    if (this.#follows || (mine && message.state === 'pending')) this.#toEnd();
    else if (fresh && !mine) this.#miss(message);
  }

  /** Puts the mark before the first of the last n messages of others. */
  #mark(n) {
    this.clearMark();
    const rows = [...this.#list.children].filter((row) => !('mine' in row.dataset));
    if (n > 0 && n <= rows.length) rows.at(-n).classList.add('unread-from');
  }

  clearMark() {
    this.#list.querySelector('.unread-from')?.classList.remove('unread-from');
  }

  /** The first message that came while nobody looked. */
  markFrom(message) {
    this.clearMark();
    this.#rows.get(message)?.classList.add('unread-from');
  }

  #row(message) {
    const { by, name, text, at, carrier, notice } = message;
    const row = el('li', { class: notice ? 'lost' : 'message', data: { at } });
    this.#rows.set(message, row);
    if (notice) {
      row.append(notice);
      return row;
    }
    const mine = by === this.#me.by;
    const author = el('span', { class: mine ? 'hidden' : 'author' }, mine ? 'You' : name);
    row.append(
      el('div', { class: 'day' }),
      el('div', { class: 'fresh-line' }, 'New'),
      mine ? '' : face(name, 38),
      el('div', { class: 'by' }, author, timeElement(at), tag(carrier)),
      el(
        'div',
        { class: isPictures(text) ? 'bubble pictures' : 'bubble', title: time(at) },
        el('div', { class: 'text', dir: 'auto' }, ...rich(text)),
        mine ? el('span', { class: 'mark' }) : '',
      ),
    );
    row.style.setProperty('--hue', hue(name));
    Object.assign(row.dataset, { testid: 'message', author: name, carrier, by });
    if (mine) row.dataset.mine = '';
    this.#state(row, message);
    return row;
  }

  #state(row, message) {
    const { state, offset, reason } = message;
    if (row.dataset.state === state || message.notice) return;
    row.dataset.state = state;
    if (offset !== undefined) row.dataset.offset = offset;
    const mark = row.querySelector('.mark');
    if (!mark) return;
    const { drawing, word } = states[state];
    mark.replaceChildren(icon(drawing), hidden(word));
    mark.title = reason ? `${word}: ${reason}` : word;
    row.querySelector('.again')?.remove();
    if (state === 'failed') row.append(el('button', { class: 'again', type: 'button', click: () => this.#retry(message) }, `Not sent: ${reason}. Try again`));
  }

  /** The room forgets its oldest messages, and so do we. */
  #trim() {
    const oldest = this.#rows.get(this.#room.messages[0]);
    while (oldest?.isConnected && this.#list.firstElementChild !== oldest) this.#list.firstElementChild.remove();
    if (this.#rows.size <= this.#room.messages.length) return;
    for (const [message, row] of this.#rows) if (!row.isConnected) this.#rows.delete(message);
  }

  /** Says of each row whether it begins a group, and a day. */
  #group() {
    let before;
    for (const message of this.#room.messages) {
      const row = this.#rows.get(message);
      if (!row) continue;
      const day = dayName(message.at);
      const newDay = !before || dayName(before.at) !== day;
      row.classList.toggle('first', newDay || !together(before, message));
      row.classList.toggle('first-of-day', newDay);
      if (newDay && !message.notice) row.querySelector('.day').textContent = day;
      before = message;
    }
    $('empty').hidden = this.#room.messages.length > 0;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#follows) this.#hideJump();
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#follows = true;
    this.#hideJump();
  }

  #miss({ name }) {
    this.#missed.push(name);
    const n = this.#missed.length;
    $('jump').textContent = `${n} new from ${names([...new Set(this.#missed)])} ↓`;
    $('jump').hidden = false;
  }

  #hideJump() {
    this.#missed = [];
    $('jump').hidden = true;
  }
}

/** The carrier is shown once for a group, so a group has one. */
function together(a, b) {
  return !a.notice && a.by === b.by && a.name === b.name && a.carrier === b.carrier && Math.abs(b.at - a.at) < TOGETHER;
}
