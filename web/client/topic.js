/** Messages that wait for their handler at most, where the server cannot see that they do. */
const MAX_WAITING = 1000;

/**
 * One topic that the page listens to: its position, and its handlers, which run one at a time.
 *
 * A position is an epoch and an offset (docs/bus.md). `epoch` and `seen` are that of the last message that was put in
 * the queue of the handlers, `position` is that of the last one that they are through with.
 *
 * @param client {guard, answered, resubscribe, shared}
 */
export function makeTopic(client, name, options) {
  let epoch;
  let seen;
  let tail;
  let asked;
  let live = false;
  let fresh = true;
  let waiting = 0;

  const topic = {
    name,
    options,
    position: undefined,

    /** @param position that the page had before it was reloaded, if any */
    restore(position) {
      if (!position) return;
      topic.position = position;
      epoch = position.epoch;
      seen = position.offset;
    },

    /** Whether a position is asked for, so that something can be lost. A page just loaded is empty, and wants history. */
    get continues() {
      return epoch !== undefined && !(fresh && topic.options.history !== undefined);
    },

    /** The message that subscribes, at the position where we are. */
    request(ref) {
      const { history, presence } = topic.options;
      asked = ref;
      live = false;
      const since = topic.continues ? { epoch, offset: seen } : undefined;
      return { op: 'subscribe', topic: name, ref, since, history: since ? undefined : history, presence };
    },

    /** @returns {Promise<void> | undefined} settled when the handler is through */
    receive({ type, topic: _, ref, ...event }) {
      if (type === 'subscribed') return ref === asked ? subscribed(event) : undefined;
      // What comes before the answer belongs to a subscription that this one replaces: it will come again.
      if (!live) return undefined;
      if (type === 'message') return message(event);
      return enqueue(type, event, type === 'dropped' ? moveTo(event) : undefined);
    },

    /** The server does not let us. */
    refused(ref, error) {
      if (ref !== asked) return false;
      client.answered(topic, false);
      enqueue('error', error);
      return true;
    },
  };

  function subscribed(event) {
    const recovered = !topic.continues || event.recovered;
    // Some are lost, so the server says where it goes on.
    if (!topic.continues || !event.recovered) epoch = undefined;
    live = true;
    fresh = false;
    const position = moveTo(event);
    client.answered(topic, recovered);
    return enqueue('subscribed', event, position);
  }

  function message({ offset, data }) {
    if (offset <= seen) return undefined;
    if (client.shared && (offset > seen + 1 || waiting >= MAX_WAITING)) return interrupt();
    seen = offset;
    return enqueue('message', { topic: name, offset, data }, { epoch, offset });
  }

  /**
   * Where tabs share a session, the subscription of another one may have taken the place of ours and begun later; and
   * nobody holds messages back for us. So we ask for them again, when the handlers are through with what there is.
   */
  function interrupt() {
    live = false;
    const again = () => client.resubscribe(name);
    if (tail) tail.then(again);
    else again();
  }

  /** In another epoch offsets start over; in ours they never go back. */
  function moveTo(there) {
    if (there.epoch !== epoch || there.offset > seen) seen = there.offset;
    epoch = there.epoch;
    return { epoch, offset: seen };
  }

  /** Runs a handler, after those before it. `position` is where that gets us. */
  function enqueue(type, event, position) {
    const run = () => client.guard(() => topic.options[type]?.(event));
    const done = () => {
      waiting--;
      topic.position = position ?? topic.position;
    };
    waiting++;
    const promise = tail ? tail.then(run) : run();
    if (!promise) return done();
    const mine = promise.then(() => {
      done();
      if (tail === mine) tail = undefined;
    });
    return (tail = mine);
  }

  return topic;
}
