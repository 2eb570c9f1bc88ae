import { MochiError } from './error.js';
import { parse, post, refusal } from './http.js';
import { makeUplink } from './uplink.js';
import { makeAttachment } from './attachment.js';
import { byteLength, makeInbox, makeOutbox } from './lines.js';

/** Milliseconds that the creation may take. */
const PATIENCE = 15_000;
/** More polls than there can be while another carrier is tried. */
const GAP = 1_000_000;
/** What these errors say of a session is final. */
const FINAL = ['gone', 'ahead', 'forbidden'];
/** What these say of a token is so until there is another. */
const REFUSED = ['unauthorized', 'expired'];

/**
 * One session of push.v1 on whichever carrier works (docs/push-v1.md), from its creation to its end. It never gives
 * up by itself; the server ends it, or `close`.
 *
 * It tells its owner through `on`: `open(resumed)`, `state(state, carrier, error)`, `message(value)` which may give a
 * promise that does not reject, `save()`, `refused(json)`, `trouble(error)`,
 * `gone({code, message, retry, unsent})`.
 *
 * @param saved what was stored of it before the page was reloaded (reload/store.js)
 */
export function makeSession({ env, urls, to, token, choice, on }, saved) {
  const inbox = makeInbox(saved?.ack);
  const outbox = makeOutbox(saved?.acked, saved?.out);
  let signature;
  let creation;
  /** The link that is attaching, and what it acknowledges. */
  let attaching;
  let attachingAck;
  let endRest;

  const session = {
    agreed: agreed({}),
    /** Number of the last attachment. */
    attach: 0,
    ...saved,
    env,
    urls,
    on,
    inbox,
    outgoing: outbox,
    over: false,
    /** Whether it attached yet: only then can messages be sent. */
    usable: false,
    /** Seconds that a poll is held; undefined: as long as agreed. */
    holdFor: undefined,
    withdraw: outbox.withdraw,
    /** Stops, without a word to the server. */
    quit: stop,

    /** @param {string} json a message; one that the server would not take is refused at once */
    send(json) {
      if (byteLength(json) > session.room) throw new MochiError('too-big');
      outbox.add(json);
      // What a script of the page sends in one go travels together.
      queueMicrotask(uplink.pump);
    },

    get backlog() {
      return outbox.backlog;
    },

    wake() {
      attachment.wake();
      uplink.wake();
    },

    /** Ends the session, after what is still to be sent. It works while the page goes away. */
    close() {
      if (session.over) return;
      const { name, link } = session;
      const ending = name && endingWith(outbox.batch(outbox.acked, Infinity, session.room));
      if (!urls.longpoll) link?.send?.(ending);
      stop();
      if (ending && urls.longpoll) postLast(ending);
    },

    get link() {
      return attachment.link;
    },

    get carrier() {
      return session.link?.carrier;
    },

    // ---- for the links

    /** What a link needs before it attaches: a token for the first object of this page, and a session. */
    async prepare(link) {
      if (token && !session.usable) signature = await token.get();
      // Only a WebSocket can create the session by itself, and it must not while a post does.
      if (session.name || link.done || (link.carrier === 'websocket' && !creation)) return;
      await (creation ??= create().finally(() => (creation = undefined)));
    },

    /**
     * The object that attaches, or creates. It is made for each connection anew: its number must rise. It is saved before
     * it is used: one used twice would attach nothing.
     */
    hello(link) {
      const { moving } = attachment;
      // While another carrier is tried the polls go on, below the number that it has: room for them is left there.
      if (moving && link === session.link) link.number++;
      else link.number = session.attach += moving ? GAP : 1;
      if (!session.name) return newSession();
      if (link.number === session.attach) {
        on.save();
        attaching = link;
        attachingAck = inbox.handled;
      }
      link.next = session.ack + 1;
      return { ...session.name, token: session.usable ? undefined : signature, attach: link.number, ack: acknowledge() };
    },

    /**
     * What we can acknowledge now. If an acknowledgement overtook an attachment that says less, that one would come too
     * late to be served (docs/push-v1.md, rule 5). So none goes beyond it until it is answered.
     */
    get ack() {
      return !attaching || attaching.done ? inbox.handled : attachingAck;
    },

    receive(link, object, size) {
      if (object.error) return link.lost(refusal(object));
      if (object.session && !session.name) created(object);
      confirm(object.ack);
      if (session.over) return;
      if (object.replaced) return link.lost(new MochiError('replaced'));
      if (link === attaching) attaching = undefined;
      if (!object.end) attachment.spoke(link);
      uplink.heard(size);
      take(link, object);
      if (object.end) finish(object.end);
      else uplink.handled();
      uplink.pump();
    },

    /** Posts one object of push.v1 and gives the one that answers it; a refusal is thrown. */
    async exchange(body, options, url = urls.longpoll) {
      const { ok, text, ...more } = await post(env, url, body, options);
      const object = parse(text);
      if (object?.error?.code) throw refusal(object, more);
      // Anything else than 2xx with an object is a proxy speaking, whatever it says about our session.
      if (!ok || !object) throw new MochiError('http', `${url}: HTTP ${more.status}`, more);
      return object;
    },

    /** Resolves when the handlers have caught up, or after a while. */
    rest(ms) {
      return new Promise((resolve) => {
        endRest = resolve;
        env.setTimeout(resolve, ms);
      });
    },

    // ---- for the attachment

    attached(link) {
      on.state('open', link.carrier);
      if (session.usable) return;
      session.usable = true;
      on.open(!!saved);
    },

    troubled(error) {
      confirm(error.ack);
      if (session.over) return;
      const { code, message, status } = error;
      if (status === 413 || code === 'too-big') tooBig();
      const stale = REFUSED.includes(code) && token && !token.renewable;
      const final = session.name ? FINAL.includes(code) : code === 'forbidden' && token;
      if (stale || final) finish({ code, message, retry: session.name });
      else if (code !== 'replaced') on.trouble(error);
    },

    /** Somebody else has our session, or our numbers: another page with a copy of our storage, or we after a restored one. */
    usedElsewhere() {
      finish({ code: 'replaced', message: 'used elsewhere', retry: true });
    },

    // ---- for the uplink

    /** The text of an object with our acknowledgement and a batch of messages. Everything in it is saved before. */
    object(head, { first, messages }) {
      on.save();
      const text = JSON.stringify({ ...head, ack: acknowledge(), first });
      return messages ? `${text.slice(0, -1)},"messages":[${messages.join()}]}` : text;
    },

    /** Bytes for the messages of one object: the rest of it has names, numbers and punctuation. */
    get room() {
      return session.agreed.limits.body - 200 - byteLength(JSON.stringify(session.name ?? ''));
    },

    answered({ ack, end }) {
      confirm(ack);
      if (end) finish(end);
    },
  };

  const attachment = makeAttachment(session, choice);
  const uplink = makeUplink(session);
  session.start = attachment.connect;
  session.use = attachment.use;
  session.lost = attachment.lost;

  function confirm(ack) {
    if (ack > outbox.last) session.usedElsewhere();
    else outbox.confirm(ack);
  }

  function acknowledge() {
    const { ack } = session;
    uplink.acknowledged(ack);
    return ack;
  }

  /** Makes the session by a post. Its messages wait: a creation repeated would repeat them. */
  async function create() {
    const object = await session.exchange(JSON.stringify(newSession()), { timeout: PATIENCE });
    if (session.name) return;
    created(object);
    // The page closed the session while this was under way.
    if (session.over) postLast(endingWith());
  }

  function newSession() {
    return { to: to || undefined, token: signature };
  }

  function created({ session: id, key, user, ...terms }) {
    if (!id) throw new MochiError('http', 'not push.v1');
    session.name = { session: id, key };
    session.user = user;
    session.agreed = agreed(terms);
    on.save();
  }

  function take(link, { first, messages = [] }) {
    link.next = first ?? link.next;
    for (const value of messages) {
      if (session.over) return;
      if (link.next > inbox.received + 1) return link.lost(new MochiError('lost', 'a gap'));
      const n = link.next++;
      if (inbox.take(n)) deliver(n, value);
    }
  }

  function deliver(n, value) {
    const handled = () => {
      inbox.settle(n);
      uplink.handled();
      if (inbox.handled === inbox.received) endRest?.();
    };
    const promise = on.message(value);
    if (promise) promise.then(handled);
    else handled();
  }

  /** Something on the way takes less than the server said. */
  function tooBig() {
    const { limits } = session.agreed;
    const messages = outbox.batch(outbox.acked, limits.window, session.room)?.messages ?? [];
    const [json] = messages;
    if (messages.length > 1) limits.body = Math.max(limits.body / 2, 1024);
    else if (json) {
      outbox.withdraw(json);
      on.refused(json);
    }
  }

  function endingWith(batch = {}) {
    return session.object({ ...session.name, end: true }, batch);
  }

  function postLast(text) {
    // Browsers let a page that goes away send 64 KiB at most.
    const keepalive = byteLength(text) < 60_000;
    session.exchange(text, { keepalive }).catch(() => {});
  }

  function finish(why) {
    if (session.over) return;
    stop();
    on.gone({ ...why, unsent: outbox.unacknowledged });
  }

  function stop() {
    session.over = true;
    uplink.stop();
    attachment.stop();
    endRest?.();
  }

  return session;
}

function agreed(terms) {
  return { wait: 25, ping: 25, ...terms, limits: { body: 65_536, window: 128, outbox: 1_048_576, ...terms.limits } };
}
