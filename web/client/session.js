import { ROBBED, makeAttachment } from './attachment.js';
import { MochiError } from './error.js';
import { exchange, refusal } from './http.js';
import { byteLength, makeInbox, makeOutbox } from './lines.js';
import { makeRests } from './rest.js';
import { makeUplink } from './uplink.js';

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
 * @param saved the `snapshot` from before the page was reloaded
 */
export function makePushSession({ env, urls, to, token, choice, on }, saved) {
  let { attach = 0, name, user, agreed = agree({}), ack, acked, out } = saved ?? {};
  let signature;
  let creating;
  /** The link that is attaching, and what it acknowledges. */
  let attaching;
  let attachingAck = 0;
  const rests = makeRests(env);
  const inbox = makeInbox(ack);
  const outbox = makeOutbox(acked, out);

  const session = {
    env,
    urls,
    on,
    inbox,
    outbox,
    over: false,
    /** Whether it attached yet: only then can messages be sent. */
    usable: false,
    /** Seconds that a poll is held; undefined: as long as agreed. */
    pollWait: undefined,

    get name() {
      return name;
    },

    get user() {
      return user;
    },

    get agreed() {
      return agreed;
    },

    get link() {
      return attachment.link;
    },

    get carrier() {
      return attachment.link?.carrier;
    },

    /** Whether the server has all that was sent. */
    get idle() {
      return outbox.last === outbox.acked;
    },

    get backlog() {
      return outbox.backlog;
    },

    /** What a page needs to take the session up after a reload. */
    get snapshot() {
      return name && { name, user, agreed, attach, ack: inbox.handled, acked: outbox.acked, out: outbox.unconfirmed };
    },

    /** @param {string} json a message; one that the server would not take is refused at once */
    send(json) {
      const { room } = session;
      if (byteLength(json) > room) throw new MochiError('too-big', `larger than ${room} bytes`);
      outbox.add(json);
      // What a script of the page sends in one go travels together.
      queueMicrotask(pump);
    },

    /** A message is not to be sent, if that is not too late. */
    withdraw: outbox.withdraw,

    wake() {
      attachment.wake();
      uplink.wake();
    },

    /** Ends the session, after what is still to be sent. It works while the page goes away. */
    close() {
      if (session.over) return;
      const { link } = attachment;
      const batch = outbox.batch(outbox.acked, Infinity, session.room) ?? {};
      const ending = name && session.object({ ...name, end: true }, batch);
      if (link?.duplex && !urls.longpoll) link.send(ending);
      quit();
      if (ending && urls.longpoll) postLast(ending);
    },

    /** Stops, without a word to the server. */
    quit,

    // ---- for the links

    /** Whether a token is to be had before the first object of this page. */
    get unsigned() {
      return !session.usable && !!token;
    },

    async sign() {
      signature = await token.get();
    },

    /** Whether a post that makes the session is under way. */
    get creating() {
      return !!creating;
    },

    /** Makes the session by a post, unless there is one. Its messages wait: a creation repeated would repeat them. */
    create() {
      if (name) return undefined;
      creating ??= create().finally(() => (creating = undefined));
      return creating;
    },

    /** The object that attaches. Its number is saved before it is used: one used twice would attach nothing. */
    hello(link) {
      const { moving } = attachment;
      // While another carrier is tried the polls go on, below the number that it has: room for them is left there.
      if (moving && link === attachment.link) link.number++;
      else link.number = attach += moving ? GAP : 1;
      if (!name) return creation();
      if (link.number === attach) {
        on.save();
        attaching = link;
        attachingAck = inbox.handled;
      }
      return { ...name, token: session.usable ? undefined : signature, attach: link.number, ack: acknowledge() };
    },

    /**
     * What we can acknowledge now. If an acknowledgement overtook an attachment that says less, that one would come
     * too late to be served (docs/push-v1.md, rule 5). So none goes beyond it until it is answered.
     */
    get ack() {
      return !attaching || attaching.done ? inbox.handled : attachingAck;
    },

    receive(link, object, size) {
      if (object.error) return link.lost(refusal(object));
      if (object.session && !name) created(object);
      confirm(object.ack);
      if (session.over) return;
      if (object.replaced) return link.lost(new MochiError('replaced'));
      if (link === attaching) attaching = undefined;
      if (!object.end) attachment.spoke(link);
      uplink.heard(size);
      take(link, object);
      if (object.end) session.finish(object.end);
      else uplink.handled();
      pump();
    },

    /** Resolves when the handlers have caught up, or after a while. */
    rest: rests.take,

    // ---- for the attachment

    jump(numbers) {
      attach += numbers;
    },

    attached(link) {
      on.state('open', link.carrier);
      if (session.usable) return;
      session.usable = true;
      on.open(!!saved);
    },

    troubled(error) {
      confirm(error.ack);
      if (session.over) return;
      const { code, message } = error;
      if (error.status === 413 || code === 'too-big') tooBig();
      const final = REFUSED.includes(code) && token && !token.renewable;
      if (final || (name ? FINAL.includes(code) : token && code === 'forbidden')) session.finish({ code, message, retry: !!name });
      else if (code !== 'replaced') on.trouble(error);
    },

    finish({ code, message, retry }) {
      if (session.over) return;
      quit();
      on.gone({ code, message, retry: !!retry, unsent: outbox.unconfirmed });
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
      return agreed.limits.body - 200 - byteLength(JSON.stringify(name ?? ''));
    },

    answered({ ack, end }) {
      confirm(ack);
      if (end) session.finish(end);
    },
  };
  const attachment = makeAttachment(session, choice);
  const uplink = makeUplink(session);
  session.start = attachment.connect;
  session.use = attachment.use;
  session.lost = attachment.lost;

  function confirm(ack) {
    if (session.over) return;
    // Somebody else uses our numbers: another page with a copy of our storage, or we after a restored one.
    if (ack > outbox.last) session.finish(ROBBED);
    else outbox.confirm(ack);
  }

  function acknowledge() {
    const { ack } = session;
    uplink.acknowledged(ack);
    return ack;
  }

  async function create() {
    const object = await exchange(env, urls.longpoll, JSON.stringify(creation()), { timeout: PATIENCE });
    if (name) return;
    created(object);
    // The page closed the session while this was under way.
    if (session.over) postLast(session.object({ ...name, end: true }, {}));
  }

  function creation() {
    return { to: to || undefined, token: signature };
  }

  function created(object) {
    const { session: id, key } = object;
    if (!id) throw new MochiError('http', 'no session');
    name = { session: id, key };
    user = object.user;
    agreed = agree(object);
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
      if (session.over) return;
      uplink.handled();
      if (inbox.handled === inbox.received) rests.end();
    };
    const promise = on.message(value);
    if (promise) promise.then(handled);
    else handled();
  }

  /** Something on the way takes less than the server said. */
  function tooBig() {
    const { limits } = agreed;
    const { first, messages } = outbox.batch(outbox.acked, limits.window, session.room) ?? {};
    if (messages?.length > 1) limits.body = Math.max(limits.body / 2, 1024);
    else if (messages) on.refused(outbox.blank(first));
  }

  function pump() {
    if (!session.over) uplink.pump();
  }

  function postLast(text) {
    // Browsers let a page that goes away send 64 KiB at most.
    exchange(env, urls.longpoll, text, { keepalive: byteLength(text) < 60_000 }).catch(() => {});
  }

  function quit() {
    session.over = true;
    uplink.stop();
    attachment.stop();
    rests.end();
  }

  return session;
}

function agree({ wait = 25, ping = 25, limits }) {
  return { wait, ping, limits: { body: 65_536, window: 128, outbox: 1_048_576, ...limits } };
}
