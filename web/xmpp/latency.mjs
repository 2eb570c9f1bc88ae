import { milliseconds, say, set } from './dom.mjs';

const KEPT = 60;

/** Round trips: the last, the middle, the slow end, and their course. */
export class Latency {
  #times = [];
  #parts;

  /** @param {{last: Element, median: Element, p95: Element, line: Element}} parts line is a <polyline> in 120 by 32 */
  constructor(parts) {
    this.#parts = parts;
    this.show();
  }

  add(ms) {
    this.#times.push(ms);
    if (this.#times.length > KEPT) this.#times.shift();
    this.show();
  }

  clear() {
    this.#times = [];
    this.show();
  }

  show() {
    const { last, median, p95, line } = this.#parts;
    const sorted = [...this.#times].sort((a, b) => a - b);
    say(last, milliseconds(this.#times.at(-1)));
    say(median, milliseconds(quantile(sorted, 0.5)));
    say(p95, milliseconds(quantile(sorted, 0.95)));
    const top = sorted.at(-1) || 1;
    const step = 120 / (KEPT - 1);
    const first = KEPT - this.#times.length;
    set(line, { points: this.#times.map((ms, at) => `${((first + at) * step).toFixed(1)},${(30 - (ms / top) * 28).toFixed(1)}`).join(' ') });
  }
}

/** The value that this share of the sorted ones does not exceed. */
export function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}
