import { $ } from './dom.js';
import { face } from './face.js';
import { browser, tab } from './store.js';

const manners = ['Quiet', 'Sunny', 'Curious', 'Gentle', 'Brave', 'Sleepy', 'Merry', 'Swift', 'Warm', 'Little', 'Bright', 'Calm'];
const things = ['Mochi', 'Yuzu', 'Matcha', 'Sesame', 'Sakura', 'Azuki', 'Plum', 'Ginger', 'Taro', 'Kinako', 'Momo', 'Hojicha'];

const pick = (list) => list[Math.floor(Math.random() * list.length)];
/** Unlike any other, anywhere. Pages that came by plain http from another machine have no randomUUID. */
export const unique = () => crypto.randomUUID?.() ?? `${Date.now()}.${Math.random()}`;

const suggestion = () => `${pick(manners)} ${pick(things)}`;

/**
 * Who we are: a name, and an id by which our messages are known to be ours. The id is the tab's; the name too, so
 * that two tabs can be two people, but a new tab begins with the last one.
 */
export class Profile {
  by = tab.get('by') ?? unique();
  name = tab.get('name') ?? browser.get('name');
  carrier;
  /** This page, until it is closed or loaded again. */
  visit = unique();
  #changed;

  /** @param changed called when we have a name, and when it becomes another */
  constructor(changed) {
    this.#changed = changed;
    tab.set('by', this.by);
    $('rename').addEventListener('click', () => this.#ask());
    $('another').addEventListener('click', () => this.#suggest());
    $('name').addEventListener('input', () => this.#draw());
    $('hello').addEventListener('cancel', (event) => this.name || event.preventDefault());
    $('hello-form').addEventListener('submit', (event) => this.#answer(event));
  }

  /** What the others in a room are to know of us. */
  get presence() {
    const { by, name, carrier, visit } = this;
    return { by, name, carrier, visit };
  }

  /** Asks for the name, unless it is known. */
  start() {
    if (this.name) this.#use(this.name);
    else this.#ask();
  }

  #ask() {
    $('hello-title').textContent = this.name ? 'Who are you now?' : 'Hello! Who are you?';
    $('hello-ok').textContent = this.name ? 'That is me' : 'Come in';
    $('name').value = this.name ?? suggestion();
    $('hello').showModal();
    this.#draw();
    $('name').select();
  }

  #suggest() {
    $('name').value = suggestion();
    this.#draw();
  }

  #answer(event) {
    const name = $('name').value.trim();
    if (!name) return event.preventDefault();
    browser.set('name', name);
    this.#use(name);
  }

  #use(name) {
    this.name = name;
    tab.set('name', name);
    $('my-name').textContent = name;
    $('my-face').replaceChildren(face(name, 36));
    this.#changed();
  }

  #draw() {
    $('hello-face').replaceChildren(face($('name').value.trim() || '?', 88));
  }
}
