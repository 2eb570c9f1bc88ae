import { $ } from './dom.js';

/** Where messages are written. It grows with them. */
export class Composer {
  #area = $('message');
  #room;

  /** @param on {send(text), typed(text)} */
  constructor(on) {
    this.on = on;
    $('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#area.addEventListener('keydown', (event) => this.#key(event));
    this.#area.addEventListener('input', () => {
      if (this.#room) this.#room.draft = this.#area.value;
      this.#grow();
      this.on.typed(this.#area.value.trim());
    });
  }

  /** Each room has its own draft. */
  show(room) {
    this.#room = room;
    this.#area.value = room.draft;
    this.#area.placeholder = `Message #${room.name}`;
    this.#grow();
  }

  focus() {
    // On a telephone, focus would bring up the keyboard before anybody asked for it.
    if (matchMedia('(pointer: fine)').matches) this.#area.focus();
  }

  #key(event) {
    // While an input method composes, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #send() {
    const text = this.#area.value.trim();
    if (!text) return;
    this.#area.value = this.#room.draft = '';
    this.#grow();
    this.on.send(text);
    this.#area.focus();
  }

  #grow() {
    this.#area.style.height = 'auto';
    this.#area.style.height = `${this.#area.scrollHeight}px`;
    $('send').classList.toggle('ready', this.#area.value.trim() !== '');
  }
}
