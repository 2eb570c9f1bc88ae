/** Messages that wait for their handler at most, where the server cannot see that they do. */
const MAX_WAITING = 1000;

/**
 * One topic that the page listens to: its position, and its handlers, which run one at a time.
 *
 * A position is an epoch and an offset (docs/bus.md). `epoch` and `seen` are that of the last message that was put in
 * the queue of the handlers, `position` is that of the last one that they are through with.
 *
 * @param client {guard(run), answered(topic, recovered), isShared(), resubscribe(name)}
 */
export function makeTopic(client, name, options) {
  let epoch;
  let seen;
  let tail;
  let asked;
  let live = false;
  let fresh = true;
  let waiting = 0;

  function subscribed(ref, event) {
    if (ref !== asked) return undefined;
    live = true;
    const { continues } = topic;
    fresh = false;
    // Some are lost, so the server says where it goes on.
    if (!continues || !event.recovered) epoch = undefined;
    const position = moveTo(event);
    client.answered(topic, !continues || event.recovered);
    return enqueue('subscribed', event, position);
  }

  function message({ offset, data }) {
    if (offset <= seen) return undefined;
    if (client.isShared() && (offset > seen + 1 || waiting >= MAX_WAITING)) return interrupt();
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
  function moveTo(position) {
    if (position.epoch !== epoch || position.offset > seen) seen = position.offset;
    epoch = position.epoch;
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
    const last = promise.then(() => {
      done();
      if (tail === last) tail = undefined;
    });
    return (tail = last);
  }

  const topic = {
    name,
    options,
    position: undefined,

    /** @param position that the page had before it was reloaded, if any */
    restore(position) {
      if (position) topic.position = moveTo(position);
    },

    /** Whether a position is asked for, so that something can be lost. A page just loaded is empty, and wants its history. */
    get continues() {
      return epoch !== undefined && !(fresh && topic.options.history !== undefined);
    },

    /** The message that subscribes, at the position where we are. */
    subscribing(ref) {
      const { history, presence } = topic.options;
      asked = ref;
      live = false;
      const where = topic.continues ? { since: { epoch, offset: seen } } : { history };
      return { op: 'subscribe', topic: name, ref, presence, ...where };
    },

    /** @returns {Promise<void> | undefined} settled when the handler is through */
    receive({ type, topic: _name, ref, ...event }) {
      if (type === 'subscribed') return subscribed(ref, event);
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
  return topic;
}
