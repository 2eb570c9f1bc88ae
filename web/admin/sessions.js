// The list of sessions, and the windows of one.

import { $, bytes, count, duration, make, pager, table } from './dom.js';

const waiting = ({ outbox }) => outbox.last - outbox.base;
const held = ({ slots, pulling }) => slots + (pulling ? 1 : 0);
const whose = ({ user }) => user ?? '–';

export class Sessions {
  #calls;
  #after = '';
  #chosen = '';
  #details = null; // what is shown of the chosen one

  constructor(calls) {
    this.#calls = calls;
    $('filter').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#after = '';
      this.#soon();
    });
  }

  /** What fails here, the next regular refresh says. */
  #soon() {
    this.refresh().catch(() => {});
  }

  async refresh() {
    const query = { after: this.#after, protocol: $('protocol').value, user: $('user').value.trim() };
    const list = await this.#calls.ask('sessions', query);
    if (query.after !== this.#after) return; // another page is wanted by now
    this.#show(list);
    if (this.#chosen) await this.#refreshChosen();
  }

  #show({ rows, more }) {
    rows ??= [];
    const focused = document.activeElement?.dataset?.session;
    const columns = [
      { title: 'Session', value: (s) => this.#opener(s) },
      { title: 'Protocol', value: (s) => s.protocol },
      { title: 'User', value: whose },
      { title: 'Address', value: (s) => s.address ?? '–' },
      { title: 'Age', number: true, value: (s) => duration(s.age) },
      { title: 'Held', number: true, value: (s) => count(held(s)) },
      { title: 'Away', number: true, value: (s) => (s.away ? duration(s.away) : '–') },
      { title: 'Inbox', number: true, value: (s) => bytes(s.inbox.bytes + s.inbox.earlyBytes), mood: (s) => s.inbox.full && 'bad' },
      { title: 'Frames waiting', number: true, value: (s) => count(waiting(s)) },
      { title: 'Outbox', number: true, value: (s) => bytes(s.outbox.bytes), mood: (s) => s.outbox.full && 'bad' },
    ];
    const to = (after) => () => {
      this.#after = after;
      this.#soon();
    };
    $('sessions').replaceChildren(
      rows.length ? table(columns, rows, (line, s) => line.setAttribute('aria-current', s.session === this.#chosen)) : make('p', { className: 'quiet' }, 'There are none.'),
      pager({ first: !this.#after, more }, to(''), to(rows.at(-1)?.session ?? '')),
    );
    if (focused) $('sessions').querySelector(`[data-session="${CSS.escape(focused)}"]`)?.focus();
  }

  #opener({ session }) {
    const b = make('button', { type: 'button', dataset: { session } }, session);
    b.addEventListener('click', () => {
      this.#chosen = session;
      this.#details = null;
      this.#soon();
    });
    return b;
  }

  async #refreshChosen() {
    const session = this.#chosen;
    let s;
    try {
      s = await this.#calls.ask('session', { session });
    } catch (error) {
      if (error.code !== 'not-found' || session !== this.#chosen) throw error;
      this.#over(session);
      return;
    }
    if (session !== this.#chosen) return;
    this.#details ??= this.#open(session);
    this.#details.fill(s);
  }

  #over(session) {
    this.#chosen = '';
    this.#details = null;
    $('session').replaceChildren(make('p', { className: 'quiet' }, `Session ${session} is over.`));
  }

  /** Makes what shows one session: what changes is filled in, so that nothing moves under a hand. */
  #open(session) {
    const [who, inbox, outbox] = ['Client', 'Inbox: requests of the client', 'Outbox: frames for the client'].map((title) => ({ title, list: make('dl'), meter: make('meter', { min: 0 }) }));
    const part = ({ title, list, meter }, metered) => make('div', {}, make('h4', {}, title), list, ...(metered ? [meter] : []));
    const reason = make('input', { value: 'ended by an administrator', maxLength: 200, name: 'reason' });
    const said = make('output');
    const form = make('form', {}, make('label', {}, 'Reason', reason), make('button', { className: 'danger' }, 'End session'), said);
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      try {
        await this.#calls.ask('end', { session, reason: reason.value });
        this.#over(session);
        await this.refresh();
      } catch (error) {
        said.dataset.mood = 'bad';
        said.textContent = error.message;
      }
    });
    $('session').hidden = false;
    $('session').replaceChildren(make('h3', {}, session), make('div', { className: 'windows' }, part(who), part(inbox, true), part(outbox, true)), form);
    return {
      fill: (s) => {
        fill(who.list, { User: whose(s), Address: s.address ?? '–', Protocol: s.protocol, Age: duration(s.age), Streams: count(s.streams), 'Requests held': count(s.slots), 'Pull open': s.pulling ? 'yes' : 'no', Away: s.away ? duration(s.away) : 'no' });
        fill(inbox.list, { Next: s.inbox.next, Window: count(s.inbox.window), 'Waiting for backends': bytes(s.inbox.bytes), 'Early requests': `${count(s.inbox.early)}, ${bytes(s.inbox.earlyBytes)}`, Limit: bytes(s.inbox.max) });
        fill(outbox.list, { 'Acknowledged up to (base)': s.outbox.base, 'Sent up to (last)': s.outbox.last, Waiting: `${count(waiting(s))}, ${bytes(s.outbox.bytes)}`, 'Answers kept': count(s.outbox.answers), Limit: bytes(s.outbox.max) });
        Object.assign(inbox.meter, { max: s.inbox.max, value: s.inbox.bytes, ariaLabel: 'inbox' });
        Object.assign(outbox.meter, { max: s.outbox.max, value: s.outbox.bytes, ariaLabel: 'outbox' });
      },
    };
  }
}

function fill(list, values) {
  list.replaceChildren(...Object.entries(values).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, String(value))]));
}
