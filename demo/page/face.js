import { svg } from './dom.js';

/** A number that is the same for the same name everywhere. */
export function hash(text) {
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ c.codePointAt(0), 16777619);
  // Names that differ in one letter must not look alike.
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The hue of a name, in degrees. The style sheets make colours of it that can be read on light and on dark. */
export const hue = (name) => (hash(name) % 24) * 15;

const eyes = [
  () => [dot(14, 21), dot(26, 21)],
  () => [dot(14.5, 20.5), dot(25.5, 20.5)],
  () => [line('M12 21.5q2-2.5 4 0'), line('M24 21.5q2-2.5 4 0')],
  () => [dot(14, 21), line('M24 21.5q2-2.5 4 0')],
  () => [line('M12 21h4'), line('M24 21h4')],
];

const mouths = [
  () => line('M17.5 24.5q2.5 2.5 5 0'),
  () => line('M18.5 25h3'),
  () => line('M17 24.5q1.5 2 3 0q1.5 2 3 0'),
  () => svg('path', { class: 'ink', d: 'M17 24h6q-.5 4-3 4t-3-4z' }),
];

/** A little mochi with a face, made of the name: nobody needs to upload a picture to be recognised. */
export function face(name, size = 36) {
  const n = hash(name);
  const drawing = svg(
    'svg',
    { class: 'face', viewBox: '0 4 40 32', width: size, height: size * 0.8, 'aria-hidden': 'true' },
    svg('path', { class: 'skin', d: 'M20 6c11 0 17 7.5 17 16.5 0 8.5-6 11-17 11s-17-2.5-17-11C3 13.5 9 6 20 6z' }),
    svg('path', { class: 'shine', d: 'M20 8.5c7.5 0 12.5 4 14 9-3-3.5-8-5.5-14-5.5s-11 2-14 5.5c1.5-5 6.5-9 14-9z' }),
    ...eyes[(n >>> 8) % eyes.length](),
    mouths[(n >>> 16) % mouths.length](),
    svg('ellipse', { class: 'blush', cx: 10, cy: 25.5, rx: 2.4, ry: 1.5 }),
    svg('ellipse', { class: 'blush', cx: 30, cy: 25.5, rx: 2.4, ry: 1.5 }),
  );
  drawing.style.setProperty('--hue', hue(name));
  return drawing;
}

const dot = (cx, cy) => svg('circle', { class: 'ink', cx, cy, r: 2 });
const line = (d) => svg('path', { class: 'stroke', d });
