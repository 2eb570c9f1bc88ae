/** Messages that wait for their handler at most, where the server cannot see that they do. */
const MAX_WAITING = 1000;

/**
 * One topic that the page listens to: its position, and its handlers, which run one at a time.
 *
 * A position is an epoch and an offset (docs/bus.md). `epoch` and `seen` are that of the last message that was put in
 * the queue of the handlers, `position` is that of the last one that they are through with.
 */
export class Topic {
  name;
  options;
  epoch;
  seen;
  position;
  #client;
  #tail;
  #asked;
  #live = false;
  #fresh = true;
  #waiting = 0;

  constructor(client, name, options) {
    Object.assign(this, { name, options });
    this.#client = client;
  }

  /** @param position that the page had before it was reloaded, if any */
  restore(position) {
    if (!position) return;
    this.position = position;
    this.epoch = position.epoch;
    this.seen = position.offset;
  }

  /** The message that subscribes, at the position where we are. A page just loaded is empty, and wants its history. */
  request(ref) {
    const { history, presence } = this.options;
    this.#asked = ref;
    this.#live = false;
    const anew = this.#fresh && history !== undefined;
    const since = anew || this.epoch === undefined ? undefined : { epoch: this.epoch, offset: this.seen };
    return { op: 'subscribe', topic: this.name, ref, since, history: since ? undefined : history, presence };
  }

  /** Whether a position was asked for, so that something can be lost. */
  get continues() {
    return this.epoch !== undefined && !(this.#fresh && this.options.history !== undefined);
  }

  /** @returns {Promise<void> | undefined} settled when the handler is through */
  receive(value) {
    const { type, topic, ref, ...event } = value;
    if (type === 'subscribed') return this.#subscribed(ref, event);
    // What comes before the answer belongs to a subscription that this one replaces: it will come again.
    if (!this.#live) return undefined;
    if (type === 'message') return this.#message(event);
    if (type !== 'dropped') return this.#enqueue(type, event);
    return this.#enqueue(type, event, this.#moveTo(event));
  }

  /** The server does not let us. */
  refused(ref, error) {
    if (ref !== this.#asked) return false;
    this.#client.answered(this, false);
    this.#enqueue('error', error);
    return true;
  }

  #subscribed(ref, event) {
    if (ref !== this.#asked) return undefined;
    this.#live = true;
    const { continues } = this;
    this.#fresh = false;
    // Some are lost, so the server says where it goes on.
    if (!continues || !event.recovered) this.epoch = undefined;
    const position = this.#moveTo(event);
    this.#client.answered(this, !continues || event.recovered);
    return this.#enqueue('subscribed', event, position);
  }

  #message({ offset, data }) {
    if (offset <= this.seen) return undefined;
    if (this.#client.shared && (offset > this.seen + 1 || this.#waiting >= MAX_WAITING)) return this.#interrupt();
    this.seen = offset;
    return this.#enqueue('message', { topic: this.name, offset, data }, { epoch: this.epoch, offset });
  }

  /**
   * Where tabs share a session, the subscription of another one may have taken the place of ours and begun later; and
   * nobody holds messages back for us. So we ask for them again, when the handlers are through with what there is.
   */
  #interrupt() {
    this.#live = false;
    const again = () => this.#client.resubscribe(this.name);
    if (this.#tail) this.#tail.then(again);
    else again();
  }

  /** In another epoch offsets start over; in ours they never go back. */
  #moveTo({ epoch, offset }) {
    if (epoch !== this.epoch || offset > this.seen) this.seen = offset;
    this.epoch = epoch;
    return { epoch, offset: this.seen };
  }

  /** Runs a handler, after those before it. `position` is where that gets us. */
  #enqueue(type, event, position) {
    const run = () => this.#client.guard(() => this.options[type]?.(event));
    const done = () => (this.position = position ?? this.position);
    this.#waiting++;
    const promise = this.#tail ? this.#tail.then(run) : run();
    if (!promise) {
      this.#waiting--;
      return void done();
    }
    const tail = promise.then(() => {
      this.#waiting--;
      done();
      if (this.#tail === tail) this.#tail = undefined;
    });
    return (this.#tail = tail);
  }
}
