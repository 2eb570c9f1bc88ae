import { $ } from './dom.js';

/** On narrow screens the rooms and the people are behind buttons. Where there is room, the style sheet shows them. */
export function drawers() {
  const pairs = [[$('open-rooms'), $('rooms')], [$('open-people'), $('people')]];
  let opened;

  function close() {
    if (!opened) return;
    const [button, drawer] = opened;
    drawer.classList.remove('open');
    button.setAttribute('aria-expanded', 'false');
    $('backdrop').classList.remove('open');
    document.querySelector('main').inert = false;
    opened = undefined;
    button.focus();
  }

  for (const pair of pairs) {
    const [button, drawer] = pair;
    button.addEventListener('click', () => {
      opened = pair;
      drawer.classList.add('open');
      button.setAttribute('aria-expanded', 'true');
      $('backdrop').classList.add('open');
      document.querySelector('main').inert = true;
      drawer.querySelector('[data-close]').focus();
    });
    drawer.querySelector('[data-close]').addEventListener('click', close);
  }
  $('backdrop').addEventListener('click', close);
  addEventListener('keydown', (event) => event.key === 'Escape' && close());
  addEventListener('hashchange', close);
  // A window that was made wide has no drawers any more.
  matchMedia('(min-width: 1001px)').addEventListener('change', close);
  return { close };
}
