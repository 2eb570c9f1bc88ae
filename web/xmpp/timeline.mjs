import { say, set, svg } from './dom.mjs';

const LANE = 34;
const BAR = 22;
/** Pixels of a bar from which its number fits. */
const ROOM = 44;

/**
 * The wire as it was in the last seconds, now at the right edge: a lane for each request that is open at a time, or,
 * over WebSocket, one for each direction.
 */
export class Timeline {
  #root;
  #moving = svg('g');
  #grid = svg('g', { class: 'grid' });
  #span;
  #now;
  #epoch;
  #attributes;
  #bars = new Map();
  #lanes = [];
  #width = 600;
  #running = false;
  #calm = matchMedia('(prefers-reduced-motion: reduce)');

  /**
   * @param {Element} root an empty <svg>
   * @param {{now: () => number, seconds?: number, attributes?: (request: object) => object}} options attributes are
   *   more of them for the bar of a request, for style sheets
   */
  constructor(root, { now, seconds = 30, attributes = () => ({}) }) {
    this.#attributes = attributes;
    this.#root = root;
    this.#span = seconds * 1000;
    this.#now = now;
    this.#epoch = now();
    root.append(this.#grid, this.#moving);
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#layout();
    }).observe(root);
    this.lanes = 2;
  }

  /** At least so many lanes are shown. */
  set lanes(count) {
    while (this.#lanes.length < count) this.#lanes.push(undefined);
    this.#layout();
  }

  clear(lanes = 2) {
    this.#moving.replaceChildren();
    this.#bars.clear();
    this.#lanes = [];
    this.lanes = lanes;
  }

  /** Follows the record of a request until it has gone out of sight. */
  request(request) {
    let lane = this.#lanes.findIndex((other) => !other || other.endedAt !== undefined);
    if (lane < 0) {
      lane = this.#lanes.length;
      this.lanes = lane + 1;
    }
    this.#lanes[lane] = request;
    const y = lane * LANE + (LANE - BAR) / 2;
    const title = svg('title');
    const body = svg('rect', { y, height: BAR, rx: 5 });
    const head = svg('rect', { class: 'head', y, height: BAR, width: 6, rx: 3 });
    const cap = svg('rect', { class: 'cap', y, height: BAR, width: 6, rx: 3, visibility: 'hidden' });
    const label = svg('text', { y: y + BAR / 2 + 4, class: 'rid' }, `…${String(request.rid).slice(-3)}`);
    const group = svg('g', {}, title, body, head, cap, label);
    this.#moving.append(group);
    this.#bars.set(request, { group, title, body, head, cap, label });
    this.#run();
  }

  /** A message over WebSocket. */
  frame({ direction, xml, at }) {
    const height = Math.min(BAR, 5 + Math.log2(xml.length + 1));
    const y = (direction === 'out' ? 0 : LANE) + (LANE - height) / 2;
    const mark = svg('rect', { class: `frame ${direction}`, x: this.#x(at) - 2, y, width: 4, height, rx: 2 });
    mark.append(svg('title', {}, `${direction === 'out' ? 'sent' : 'received'}: ${xml.length} characters`));
    this.#moving.append(mark);
    this.#bars.set({ endedAt: at }, { group: mark });
    this.#run();
  }

  /** One sentence for those who do not see it. */
  describe(text) {
    if (this.#root.getAttribute('aria-label') !== text) this.#root.setAttribute('aria-label', text);
  }

  #x(time) {
    return ((time - this.#epoch) / this.#span) * this.#width;
  }

  #layout() {
    set(this.#root, { height: this.#lanes.length * LANE });
    const lines = this.#lanes.map((_, at) => svg('line', { x1: 0, x2: this.#width, y1: (at + 0.5) * LANE, y2: (at + 0.5) * LANE }));
    this.#grid.replaceChildren(...lines);
    for (const [request, parts] of this.#bars) this.#draw(request, parts, true);
    this.#frame();
  }

  #run() {
    if (this.#running) return;
    this.#running = true;
    const step = () => {
      this.#frame();
      if (!this.#bars.size) this.#running = false;
      else if (this.#calm.matches) setTimeout(step, 1000);
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #frame() {
    const now = this.#now();
    set(this.#moving, { transform: `translate(${(this.#width - this.#x(now)).toFixed(1)} 0)` });
    for (const [request, parts] of this.#bars) {
      if (request.endedAt !== undefined && request.endedAt < now - this.#span) {
        parts.group.remove();
        this.#bars.delete(request);
      } else {
        this.#draw(request, parts);
      }
    }
  }

  #draw(request, { group, title, body, head, cap, label, done }, again = false) {
    if (!body || (done && !again)) {
      if (!body && again) set(group, { x: this.#x(request.endedAt) - 2 });
      return;
    }
    const from = this.#x(request.firstAt);
    const to = this.#x(request.endedAt ?? this.#now());
    const width = Math.max(to - from - 2, 12);
    set(group, { class: `bar ${look(request)}`, ...this.#attributes(request) });
    set(body, { x: from.toFixed(1), width: width.toFixed(1) });
    set(head, { x: from.toFixed(1) });
    set(label, { x: (from + 11).toFixed(1), visibility: width > ROOM ? 'visible' : 'hidden' });
    if (request.endedAt === undefined) return;
    set(cap, { x: (from + width - 6).toFixed(1), visibility: 'visible' });
    say(title, `rid ${request.rid}: ${story(request)}`);
    this.#bars.get(request).done = true;
  }
}

/** What a request is like, in words that the style sheets and the legend have. */
export function look({ state, payloads, attributes = {}, repliesWith, answer }) {
  const carries = payloads || Object.keys(attributes).some((name) => name !== 'stream') ? 'carrying' : 'holding';
  if (state === 'waiting') return `${carries} repeating`;
  if (state === 'lost') return `${carries} lost`;
  if (state !== 'answered') return carries;
  if (answer?.attr('condition')) return `${carries} lost`;
  return `${carries} ${repliesWith?.length ? 'replied' : 'released'}`;
}

function story({ payloads, repliesWith, endedAt, firstAt, attempts, state }) {
  const told = `${payloads} sent, ${repliesWith.length} received, open for ${Math.round(endedAt - firstAt)} ms`;
  return `${told}${attempts > 1 ? `, sent ${attempts} times` : ''}${state === 'lost' ? ', never answered' : ''}`;
}
