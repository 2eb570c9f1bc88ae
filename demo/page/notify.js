import { Push } from '/mochi/push.js';
import { $ } from './dom.js';
import { unique } from './profile.js';
import { browser } from './store.js';

/** What this browser shows the server, in place of somebody who signs in. */
export const token = browser.get('token') ?? `${unique()} ${unique()}`;
browser.set('token', token);

/**
 * The count in the title, and notifications for those who asked for them: of the desktop while the page is open, by
 * Web Push when it is closed.
 */
export class Notifier {
  #wanted = browser.get('notify') === true;
  #push = new Push({ token, worker: '/worker.js' });
  #topics = new Set();
  #say;

  /** @param say tells the user something */
  constructor(say) {
    this.#say = say;
    const button = $('notify');
    button.hidden = !('Notification' in window) || Notification.permission === 'denied';
    button.addEventListener('click', () => this.#toggle());
    this.#draw();
  }

  title(room, unread) {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}#${room.name} · mochibosh`;
  }

  /** What is written there comes although the page is closed. */
  follow(topic) {
    this.#topics.add(topic);
    if (this.#on) this.#register();
  }

  unfollow(topic) {
    this.#topics.delete(topic);
    if (this.#on) this.#register();
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
    if (!this.#on && (await Notification.requestPermission()) !== 'granted') {
      this.#say('This browser is told to show no notifications.');
      return this.#draw();
    }
    this.#wanted = !this.#on;
    browser.set('notify', this.#wanted);
    this.#draw();
    if (this.#wanted) await this.#register(this.#say);
    else await this.#push.off().catch(() => {});
  }

  async #register(say = () => {}) {
    try {
      await this.#push.on({ topics: [...this.#topics] });
    } catch (error) {
      say(`Notifications come only while this page is open: ${error.message}`);
    }
  }

  #draw() {
    $('notify').setAttribute('aria-pressed', this.#on);
  }
}
