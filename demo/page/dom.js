/**
 * Makes an element. Strings become text nodes, never markup: that is all the escaping that this page needs.
 *
 * @param {string} tag
 * @param {object} props attributes; `data` has data attributes, a function is a listener, false is left out
 */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function fill(node, { data = {}, ...props }, children) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? '' : value);
  }
  for (const [name, value] of Object.entries(data)) if (value !== undefined) node.dataset[name] = value;
  node.append(...children.filter((child) => child !== undefined && child !== false));
  return node;
}

export const $ = (id) => document.getElementById(id);

const paths = {
  plus: ['M12 5v14M5 12h14'],
  menu: ['M4 7h16M4 12h16M4 17h16'],
  close: ['M6 6l12 12M18 6L6 18'],
  bell: ['M6 10a6 6 0 0112 0c0 5 2 6 2 6H4s2-1 2-6', 'M10 19.500a2 2 0 004 0'],
  link: ['M10 14a4 4 0 005.7 0l3-3a4 4 0 00-5.7-5.700l-1 1', 'M14 10a4 4 0 00-5.7 0l-3 3a4 4 0 005.7 5.700l1-1'],
  people: ['M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7M2.5 20c.5-4 3-6 6.5-6s6 2 6.5 6', 'M16 4.500a3.5 3.5 0 010 6M18 14.500c2 .8 3.2 2.6 3.5 5.5'],
  cut: ['M8.2 8.200L20 18M8.2 15.800L20 6', 'M6 9a2.5 2.5 0 100-5 2.5 2.5 0 000 5M6 20a2.5 2.5 0 100-5 2.5 2.5 0 000 5'],
  heal: ['M4 12a8 8 0 0114-5.300L20 9M20 4v5h-5', 'M20 12a8 8 0 01-14 5.300L4 15M4 20v-5h5'],
  send: ['M4 12l16-7-6 15-2.5-6.500z'],
  dice: ['M5 5h14v14H5z', 'M9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01'],
  clock: ['M12 21a9 9 0 100-18 9 9 0 000 18', 'M12 7v5l3 2'],
  check: ['M5 12.500l4.5 4.500L19 7.5'],
  alert: ['M12 8v5M12 16.500h.01', 'M12 21a9 9 0 100-18 9 9 0 000 18'],
};

/** A line drawing. It is never alone in saying something, so it is hidden from screen readers. */
export function icon(name) {
  const lines = paths[name].map((d) => svg('path', { d }));
  return svg('svg', { class: 'drawing', viewBox: '0 0 24 24', 'aria-hidden': 'true' }, ...lines);
}

/** Draws the icons that the page's markup asks for. */
export function drawIcons() {
  for (const node of document.querySelectorAll('[data-icon]')) node.prepend(icon(node.dataset.icon));
  for (const node of document.querySelectorAll('[data-close]')) node.append(icon('close'));
}

/** Text for screen readers only. */
export const hidden = (text) => el('span', { class: 'hidden' }, text);
