import { $, el, hidden, icon } from './dom.js';
import { browser } from './store.js';
import { Room, roomName } from './room.js';

const presets = new Map([
  ['lobby', { sign: '🏮', about: 'Where everybody comes in' }],
  ['tea', { sign: '🍵', about: 'Slow talk over a warm cup' }],
  ['music', { sign: '🎶', about: 'What is playing where you are?' }],
  ['workshop', { sign: '🔧', about: 'Things taken apart, and sometimes put together' }],
]);

const SEEN = 'seen';

/** The rooms on the left. The open one stands in the address, so that it can be shared. */
export class Rooms {
  open;
  #rooms = new Map();
  #rows = new Map();
  #on;

  /** @param on {added(room), removed(room), opened(room)} */
  constructor(on) {
    this.#on = on;
    const seen = browser.get(SEEN) ?? {};
    for (const name of [...presets.keys(), ...(browser.get('rooms') ?? [])]) this.#add(name, seen[name]);
    addEventListener('hashchange', () => this.#follow());
    $('new-room').addEventListener('submit', (event) => this.#create(event));
  }

  /** Opens the room of the address. */
  start() {
    for (const room of this.#rooms.values()) this.#on.added(room);
    this.#follow();
  }

  about({ name }) {
    return presets.get(name)?.about ?? 'A room of your own making: share its address to invite others';
  }

  get unread() {
    return [...this.#rooms.values()].reduce((sum, { unread }) => sum + unread, 0);
  }

  /** All of the open room was seen. */
  see() {
    this.open.see();
    browser.set(SEEN, { ...browser.get(SEEN), [this.open.name]: this.open.seen });
    this.draw();
  }

  /** Rows stay where they are: who moves along them with the keyboard must not be thrown out by a message. */
  draw() {
    const rows = [...this.#rooms.values()].map((room) => this.#draw(room));
    const list = $('room-list');
    if (rows.length !== list.children.length || rows.at(-1) !== list.lastElementChild) list.replaceChildren(...rows);
    $('rooms-dot').hidden = this.unread === 0;
  }

  #follow() {
    const asked = roomName(decode(location.hash.slice(1))) || 'lobby';
    if (location.hash !== address(asked)) history.replaceState(null, '', address(asked));
    const isNew = !this.#rooms.has(asked);
    const room = this.#add(asked);
    if (isNew) {
      this.#save();
      this.#on.added(room);
    }
    if (room === this.open) return;
    this.open = room;
    this.#on.opened(room);
    this.draw();
  }

  #create(event) {
    event.preventDefault();
    const name = roomName($('room-name').value);
    if (!name) return $('room-name').focus();
    $('room-name').value = '';
    location.hash = address(name);
  }

  #add(name, seen) {
    const room = this.#rooms.get(name) ?? new Room(name, seen);
    this.#rooms.set(name, room);
    return room;
  }

  #remove(room) {
    this.#rooms.delete(room.name);
    this.#rows.delete(room);
    this.#save();
    this.#on.removed(room);
    if (room === this.open) location.hash = address('lobby');
    this.draw();
  }

  #save() {
    browser.set('rooms', [...this.#rooms.keys()].filter((name) => !presets.has(name)));
  }

  #draw(room) {
    const { unread } = room;
    if (!this.#rows.has(room)) this.#rows.set(room, this.#row(room));
    const { row, link, badge } = this.#rows.get(room);
    if (room === this.open) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    badge.hidden = unread === 0;
    badge.dataset.count = unread;
    badge.firstChild.data = unread > 99 ? '99+' : unread;
    return row;
  }

  #row(room) {
    const { name } = room;
    const badge = el('span', { class: 'unread', data: { testid: 'unread', room: name } }, '0', hidden(' unread'));
    const link = el(
      'a',
      { href: address(name), data: { testid: 'room', room: name } },
      el('span', { class: 'sign', 'aria-hidden': 'true' }, presets.get(name)?.sign ?? '#'),
      el('span', { class: 'name' }, name),
      badge,
    );
    const remove = () => this.#remove(room);
    const leave = el('button', { type: 'button', class: 'icon leave', 'aria-label': `Take ${name} off the list`, click: remove }, icon('close'));
    const row = el('li', {}, link, !presets.has(name) && leave);
    return { row, link, badge };
  }
}

const address = (name) => `#${encodeURIComponent(name)}`;

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
