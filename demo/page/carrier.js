import { $, el } from './dom.js';
import { tab } from './store.js';

const known = {
  websocket: { name: 'WebSocket', short: 'WS' },
  sse: { name: 'SSE', long: 'server-sent events', short: 'SSE' },
  longpoll: { name: 'Long-poll', short: 'Poll' },
  bosh: { name: 'BOSH', short: 'BOSH' },
};

export const carriers = Object.keys(known);

export const carrierName = (carrier) => known[carrier]?.name ?? 'HTTP';

/** A small tag for a message or a member. Who is on none of the four published by a plain request. */
export function tag(carrier) {
  const { name = 'a plain HTTP request', long = name, short = 'HTTP' } = known[carrier] ?? {};
  return el('span', { class: 'tag', data: { carrier: known[carrier] ? carrier : 'http' }, title: `over ${long}` }, short);
}

const words = { connecting: 'connecting…', open: 'connected', reconnecting: 'reconnecting…', closed: 'closed' };

/** The badge and the control beside it. */
export class CarrierControl {
  #client;
  #report;
  /** The last choice that worked, and one that could not be tried yet. */
  #works;
  #wish;

  /** @param report called with a sentence if a carrier cannot be used */
  constructor(report) {
    this.#report = report;
    const wanted = tab.get('carrier');
    if (carriers.includes(wanted)) $('carrier-select').value = wanted;
    this.#works = this.wanted;
    $('carrier-select').addEventListener('change', () => this.#switch());
  }

  get wanted() {
    return $('carrier-select').value;
  }

  attach(client) {
    this.#client = client;
    this.show(client);
  }

  show({ state, carrier }) {
    const badge = $('carrier-badge');
    badge.dataset.state = state;
    badge.dataset.carrier = carrier ?? '';
    $('carrier-name').textContent = known[carrier]?.name ?? '';
    $('carrier-state').textContent = words[state] ?? state;
    if (state === 'open' && this.#wish) this.#switch();
  }

  async #switch() {
    const { wanted } = this;
    this.#wish = undefined;
    tab.set('carrier', wanted);
    try {
      await this.#client?.use(wanted);
      this.#works = wanted;
    } catch (error) {
      // Another choice may have been made meanwhile; then this one does not matter.
      if (wanted === this.wanted && error.code !== 'superseded') this.#failed(wanted, error);
    }
  }

  /** While nothing works, that says nothing of the carrier: it is tried again when there is a connection. */
  #failed(wanted, error) {
    if (this.#client.state !== 'open') return (this.#wish = wanted);
    $('carrier-select').value = this.#works;
    tab.set('carrier', this.#works);
    this.#report(`${carrierName(wanted)} does not work now: ${error.message}`);
  }
}
