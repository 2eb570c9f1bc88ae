import { $ } from './dom.js';
import { browser } from './store.js';

/** The count in the title, and notifications of the desktop for those who asked for them. */
export class Notifier {
  #wanted = browser.get('notify') === true;

  constructor() {
    const button = $('notify');
    button.hidden = !('Notification' in window) || Notification.permission === 'denied';
    button.addEventListener('click', () => this.#toggle());
    this.#draw();
  }

  title(room, unread) {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}#${room.name} · mochibosh`;
  }

  /** @param open called when somebody clicks on it */
  show(room, { name, text }, open) {
    if (!this.#on || !document.hidden) return;
    try {
      const note = new Notification(`${name} in #${room.name}`, { body: text.slice(0, 200), tag: room.topic, icon: '/icon.svg' });
      note.addEventListener('click', () => {
        focus();
        note.close();
        open();
      });
    } catch {
      // Some telephones have the permission, but want a service worker for the rest.
    }
  }

  get #on() {
    return this.#wanted && 'Notification' in window && Notification.permission === 'granted';
  }

  async #toggle() {
    if (!this.#on && Notification.permission !== 'granted') {
      if ((await Notification.requestPermission()) !== 'granted') return this.#draw();
      this.#wanted = true;
    } else {
      this.#wanted = !this.#wanted;
    }
    browser.set('notify', this.#wanted);
    this.#draw();
  }

  #draw() {
    $('notify').setAttribute('aria-pressed', this.#on);
  }
}
