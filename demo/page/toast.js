import { el } from './dom.js';

/** Says something for a moment, to screen readers too. */
export function toast(text) {
  document.querySelector('.toast')?.remove();
  const note = el('p', { class: 'toast', role: 'status', data: { testid: 'toast' } });
  document.body.append(note);
  // Filled after it is there: only then do screen readers take notice.
  requestAnimationFrame(() => note.append(text));
  setTimeout(() => note.remove(), 5000);
}
