// The list of topics, how fast they move on, and who is too slow for them.

import { $, count, make, pager, table } from './dom.js';

export class Topics {
  #calls;
  #after = '';
  #before = new Map(); // where each topic was, and when

  constructor(calls) {
    this.#calls = calls;
  }

  /** What fails here, the next regular refresh says. */
  #soon() {
    this.refresh().catch(() => {});
  }

  async refresh() {
    const after = this.#after;
    const [topics, slow] = await Promise.all([this.#calls.ask('topics', { after }), this.#calls.ask('slow')]);
    if (after !== this.#after) return;
    this.#show(topics);
    showSlow(slow);
  }

  #show({ rows, more }) {
    rows ??= [];
    const now = performance.now() / 1000;
    const rates = new Map(rows.map((row) => [row.topic, this.#rate(row, now)]));
    this.#before = new Map(rows.map(({ topic, epoch, offset }) => [topic, { epoch, offset, now }]));
    const columns = [
      { title: 'Topic', value: (t) => t.topic },
      { title: 'Subscribers', number: true, value: (t) => count(t.subscribers) },
      { title: 'Messages', number: true, value: (t) => count(t.offset) },
      { title: 'A second', number: true, value: (t) => (rates.get(t.topic) === null ? '…' : count(rates.get(t.topic))) },
      { title: 'Pending', number: true, value: (t) => count(t.pending ?? 0) },
      { title: 'Behind', number: true, value: (t) => count(t.slow ?? 0), mood: (t) => t.slow && 'fair' },
    ];
    const to = (after) => () => {
      this.#after = after;
      this.#soon();
    };
    $('topics').replaceChildren(
      rows.length ? table(columns, rows) : make('p', { className: 'quiet' }, 'Nobody is subscribed to any.'),
      pager({ first: !this.#after, more }, to(''), to(rows.at(-1)?.topic ?? '')),
    );
  }

  #rate({ topic, epoch, offset }, now) {
    const before = this.#before.get(topic);
    return before?.epoch === epoch && now > before.now ? (offset - before.offset) / (now - before.now) : null;
  }
}

function showSlow({ rows, more }) {
  const columns = [
    { title: 'Topic', value: (s) => s.topic },
    { title: 'Session', value: (s) => s.session },
    { title: 'Messages missing', number: true, value: (s) => count(s.missing) },
  ];
  $('slow').replaceChildren(
    rows?.length ? table(columns, rows) : make('p', { className: 'quiet' }, 'Nobody is behind.'),
    ...(more ? [make('p', { className: 'quiet' }, 'There are more.')] : []),
  );
}
