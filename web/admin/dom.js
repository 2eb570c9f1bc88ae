// How the page is made: elements with text in them, never markup.

export const $ = (id) => document.getElementById(id);

/** An element: make('td', { className: 'number' }, 'text', child). */
export function make(tag, properties, ...children) {
  const { dataset, ...rest } = properties ?? {};
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(dataset ?? {})) if (value) element.dataset[name] = value;
  element.append(...children);
  return element;
}

/**
 * A table of rows. A column has a title, a value of a row (a text or an element), and may be a number, and have a
 * mood of a row.
 */
export function table(columns, rows, decorate = () => {}) {
  const head = columns.map(({ title, number }) => make('th', { scope: 'col', className: number ? 'number' : '' }, title));
  const body = rows.map((row) => {
    const cells = columns.map(({ title, number, value, mood }) =>
      make('td', { className: number ? 'number' : '', dataset: { label: title, mood: mood?.(row) } }, value(row)),
    );
    const line = make('tr', {}, ...cells);
    decorate(line, row);
    return line;
  });
  return make('table', {}, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...body));
}

/** Buttons for the pages of a list. */
export function pager({ first, more }, toFirst, toNext) {
  const button = (text, on, job) => {
    const b = make('button', { type: 'button', disabled: !on }, text);
    b.addEventListener('click', job);
    return b;
  };
  if (first && !more) return make('div', { className: 'pager' });
  return make('div', { className: 'pager' }, button('First', !first, toFirst), button('Next', more, toNext));
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(n) {
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

export function count(n) {
  return n.toLocaleString('en', { maximumFractionDigits: n < 10 ? 1 : 0 });
}

export function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d`;
}
