import { el, say } from '/console/dom.mjs';

/** What one stream looks like: how to open it, what came and went, what to say next. */
export class Column {
  node;
  onopen = () => {};
  onsend = () => {};
  onclose = () => {};
  #pill = el('span', { class: 'pill', 'data-state': 'idle', role: 'status' }, 'closed');
  #about = el('p', { class: 'about' });
  #lines = el('ol', { class: 'lines', tabindex: 0 });
  #login;
  #chat;

  /** @param {{title: string, about: string, fields: object[]}} options fields are attributes of <input> */
  constructor({ title, about, fields }) {
    this.#login = el('form', { class: 'login', submit: (event) => this.#open(event) },
      ...fields.map(({ label, ...attributes }) => el('label', {}, label, el('input', { required: true, ...attributes }))),
      el('button', { class: 'plain' }, 'Open this stream'));
    const input = el('input', { 'aria-label': `Say something to ${title}`, placeholder: 'Say something…', maxlength: 500, autocomplete: 'off' });
    const write = el('form', { class: 'write', submit: (event) => this.#write(event, input) }, input, el('button', { class: 'primary' }, 'Send'));
    const close = el('button', { type: 'button', class: 'small', click: () => this.onclose() }, 'Close this stream');
    this.#chat = el('div', { hidden: true }, this.#lines, write, el('p', {}, close));
    this.node = el('section', { class: 'card column', 'aria-label': title }, el('header', {}, el('h2', {}, title), this.#pill), this.#about, this.#login, this.#chat);
    this.#lines.setAttribute('aria-label', `Messages of ${title}`);
    this.about(about);
  }

  get busy() {
    return this.#login.hidden;
  }

  /** Opens it with what is in its fields. */
  submit() {
    if (!this.busy) this.#login.requestSubmit();
  }

  about(text) {
    say(this.#about, text);
  }

  /** @param kind 'idle', 'busy', 'online' or 'failed' */
  show(kind, text) {
    this.#pill.dataset.state = kind;
    say(this.#pill, text);
    this.#login.hidden = kind === 'busy' || kind === 'online';
    this.#chat.hidden = kind !== 'online';
  }

  line(direction, from, text) {
    this.#lines.append(el('li', { class: direction }, from && el('small', {}, from), text));
    this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  #open(event) {
    event.preventDefault();
    this.onopen(Object.fromEntries(new FormData(this.#login)));
  }

  #write(event, input) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = '';
    this.onsend(text);
  }
}
