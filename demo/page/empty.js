import { $, el, icon } from './dom.js';
import { face } from './face.js';
import { copy } from './share.js';

/** What an empty room says to who comes in first. */
export function welcome(room, about, hello) {
  $('empty').replaceChildren(
    el('div', { class: 'pair' }, face('Merry Matcha', 64), face('Swift Plum', 84), face(room.name, 64)),
    el('h2', {}, `It is quiet in #${room.name}`),
    el('p', {}, `${about}. Nobody has said anything yet, so the first word is yours.`),
    el(
      'div',
      { class: 'choices' },
      el('button', { type: 'button', class: 'primary', data: { testid: 'say-hello' }, click: hello }, 'Say hello 👋'),
      el('button', { type: 'button', class: 'plain', click: copy }, icon('link'), 'Copy the address'),
    ),
    el('p', { class: 'hint' }, 'Open the address in another window, choose another carrier there, and talk to yourself. Then cut the network, and go on writing.'),
  );
}
