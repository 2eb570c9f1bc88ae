// The tiles: what the server says of itself every second, and how fast it changes.

import { $, bytes, count, make } from './dom.js';

const polls = { bosh: 'BOSH', sse: 'SSE', longpoll: 'long-poll' };
const sockets = { websocket: 'XMPP WebSocket', 'push-websocket': 'WebSocket' };

/** Of one moment and the one before, what each tile says. */
class Moment {
  constructor(now, before) {
    this.now = now.values;
    this.before = before?.values;
    this.seconds = before ? now.at - before.at : 0;
  }

  entries(name) {
    return Object.entries(this.now[name] ?? {});
  }

  sum(name, part = '') {
    return this.entries(name).reduce((sum, [labels, n]) => (labels.split(' ').includes(part) || !part ? sum + n : sum), 0);
  }

  /** How much a counter rises in a second. */
  rate(name, part = '') {
    if (!this.before || this.seconds <= 0) return 0;
    const earlier = new Moment({ values: this.before, at: 0 }).sum(name, part);
    return Math.max(0, this.sum(name, part) - earlier) / this.seconds;
  }

  parts(name, names = {}, show = count) {
    return this.entries(name)
      .filter(([labels, n]) => n > 0 && (names === all || labels in names))
      .map(([labels, n]) => `${names === all ? labels : names[labels]} ${show(n)}`)
      .join(' · ');
  }
}

const all = Symbol('all');

const tiles = [
  { title: 'Sessions', value: (m) => count(m.sum('sessions')), parts: (m) => m.parts('sessions', all) },
  {
    title: 'Connected by',
    value: (m) => count(m.sum('websockets_open') + Object.keys(polls).reduce((sum, name) => sum + m.sum('http_requests_open', name), 0)),
    parts: (m) => [m.parts('websockets_open', sockets), m.parts('http_requests_open', polls)].filter(Boolean).join(' · '),
  },
  { title: 'Held requests', value: (m) => count(m.sum('held_requests')), parts: (m) => `${count(m.sum('sessions_away'))} sessions away` },
  {
    title: 'Full windows',
    value: (m) => count(m.sum('windows_full')),
    parts: (m) => `inbox ${count(m.sum('windows_full', 'inbox'))} · outbox ${count(m.sum('windows_full', 'outbox'))}`,
    mood: (m) => m.sum('windows_full') && 'fair',
  },
  { title: 'Published, a second', value: (m) => count(m.rate('publications_total')), parts: (m) => `${bytes(m.rate('publication_bytes_total'))}/s` },
  { title: 'Delivered, a second', value: (m) => count(m.rate('deliveries_total')), parts: (m) => `dropped ${count(m.rate('dropped_messages_total'))}` },
  { title: 'Frames, a second', value: (m) => count(m.rate('frames_total')), parts: (m) => `in ${count(m.rate('frames_total', 'in'))} · out ${count(m.rate('frames_total', 'out'))}` },
  { title: 'Requests, a second', value: (m) => count(m.rate('http_requests_total')), parts: (m) => `API ${count(m.rate('api_calls_total'))}` },
  { title: 'Topics', value: (m) => count(m.sum('topics_subscribed')), parts: (m) => `${count(m.sum('subscriptions'))} subscriptions` },
  { title: 'Histories', value: (m) => bytes(m.sum('history_bytes')), parts: (m) => `${count(m.sum('history_messages'))} messages` },
  {
    title: 'Behind',
    value: (m) => count(m.sum('subscriptions_behind')),
    parts: (m) => `${count(m.sum('slow_subscribers_total'))} since it began`,
    mood: (m) => m.sum('subscriptions_behind') && 'fair',
  },
  {
    title: 'Limits reached, a second',
    value: (m) => count(m.rate('limits_reached_total')),
    parts: (m) => m.parts('limits_reached_total', all),
    mood: (m) => m.rate('limits_reached_total') && 'bad',
  },
  { title: 'Refusals, a second', value: (m) => count(m.rate('permission_refusals_total') + m.rate('bus_refusals_total')), parts: (m) => `sign-ins ${count(m.rate('sign_ins_total'))}` },
  { title: 'Outboxes', value: (m) => bytes(m.sum('window_bytes', 'outbox')), parts: (m) => `inboxes ${bytes(m.sum('window_bytes', 'inbox'))}` },
  {
    title: 'Memory',
    value: (m) => bytes(m.sum('process_resident_memory_bytes')),
    parts: (m) => (m.sum('memory_budget_bytes') ? `kept ${bytes(m.sum('kept_bytes'))} of ${bytes(m.sum('memory_budget_bytes'))}` : ''),
    mood: (m) => m.sum('memory_full') && 'bad',
  },
  { title: 'Processors', value: (m) => m.rate('process_cpu_seconds_total').toFixed(2), parts: (m) => `relay streams ${count(m.sum('server_streams'))}` },
];

/** Shows numbers as they come. Those of several servers come in turns; each follows its own. */
export class Numbers {
  #before = new Map();
  #shown = null;

  constructor(onNode) {
    this.onNode = onNode;
    this.elements = tiles.map(({ title }) => {
      const [value, parts] = [make('p', { className: 'value' }, '–'), make('p', { className: 'parts' })];
      return { value, parts, tile: make('article', { className: 'card tile' }, make('h3', {}, title), value, parts) };
    });
    $('tiles').replaceChildren(...this.elements.map(({ tile }) => tile));
  }

  take(numbers) {
    const node = numbers.node ?? '';
    this.#shown ??= node;
    const moment = new Moment(numbers, this.#before.get(node));
    this.#before.set(node, numbers);
    if (node !== this.#shown) return;
    this.onNode(node);
    tiles.forEach(({ value, parts, mood }, i) => {
      const e = this.elements[i];
      e.value.textContent = value(moment);
      e.parts.textContent = parts(moment);
      e.tile.dataset.mood = mood?.(moment) || '';
    });
  }
}
