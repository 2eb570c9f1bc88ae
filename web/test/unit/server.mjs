import { Bus } from './bus.mjs';

const WAIT = 25;
const PING = 20;
const INACTIVITY = 60;

/** A model of docs/push-v1.md with the bus behind it. What breaks the rules is an error of the test. */
export class Server {
  bus = new Bus();
  sessions = new Map();
  limits = { body: 65_536, window: 128, outbox: 1_000_000 };
  /** Messages from clients as the backend got them, for the backend "raw". */
  raw = [];
  created = 0;
  /** Who a token is of: {user, expires} or {code}. */
  signIn = () => ({});
  #clock;
  #tickets = new Map();
  #count = 0;

  constructor(clock) {
    this.#clock = clock;
  }

  /** A process that saved nothing. */
  restart({ keepTopics = true } = {}) {
    for (const session of [...this.sessions.values()]) this.drop(session);
    if (!keepTopics) this.bus.forget();
  }

  /** Ends a session without a word. */
  drop(session) {
    this.sessions.delete(session.id);
    this.bus.gone(session);
    session.slot?.close?.();
    this.#clock.clearTimeout(session.timer);
  }

  end(session, end) {
    const { slot } = session;
    this.sessions.delete(session.id);
    this.bus.gone(session);
    slot?.answer({ end });
  }

  refresh(session, { token, ref }) {
    const { code, expires } = this.signIn(token);
    session.tell(code ? { type: 'error', ref, code, message: code } : { type: 'refreshed', ref, expires });
  }

  // ---- carriers; each gives the object through `answer`, at once or later

  post(text, answer) {
    const object = JSON.parse(text);
    if (text.length > this.limits.body) return answer(error('too-big'), 413);
    if (!object.session) {
      const created = this.#create(object);
      return answer(created, created.error ? status(created) : 201);
    }
    const session = this.#find(object);
    if (session.error) return answer(session, status(session));
    const refused = this.#take(session, object);
    if (refused) return answer(refused, status(refused));
    if (object.end) {
      this.drop(session);
      return answer({ ack: session.got, end: { code: 'normal' } });
    }
    if (object.attach === undefined) return answer({ ack: session.got });
    if (object.attach < session.attach) return answer({ replaced: true });
    const wait = (object.wait ?? WAIT) * 1000;
    return this.#attach(session, object, { answer, wait, once: true }, answer);
  }

  ticket(text, answer) {
    const object = JSON.parse(text);
    const session = this.#find(object);
    if (session.error) return answer(session, status(session));
    const ticket = `t${++this.#count}`;
    this.#tickets.set(ticket, { object, until: this.#clock.now() + 30_000 });
    return answer({ ticket });
  }

  /** @returns whether the stream stands */
  stream(ticket, answer, close) {
    const { object, until } = this.#tickets.get(ticket) ?? {};
    this.#tickets.delete(ticket);
    if (!object || until < this.#clock.now()) return undefined;
    const session = this.#find(object);
    if (session.error || object.attach <= session.attach) return undefined;
    this.#attach(session, object, { answer, close }, () => close());
    return session;
  }

  /** The first object on a socket. @returns the session, if all is well */
  socket(object, answer, close) {
    let session;
    if (!object.session) {
      const created = this.#create(object);
      answer(created);
      if (created.error) return undefined;
      session = this.sessions.get(created.session);
      session.slot = { answer, close, sent: 0 };
      this.#ping(session);
      return session;
    }
    session = this.#find(object);
    if (session.error) return void answer(session);
    if (object.attach <= session.attach) return void answer(error('replaced'));
    const refused = this.#take(session, object);
    if (refused) return void answer(refused);
    return this.#attach(session, object, { answer, close }, answer) && session;
  }

  frame(session, object, answer) {
    if (!this.sessions.has(session.id)) return answer(error('gone'));
    object.first ??= session.got + 1;
    const refused = this.#take(session, object);
    if (refused) return answer(refused);
    if (object.messages) answer({ ack: session.got });
    if (object.end) this.end(session, { code: 'normal' });
    return undefined;
  }

  /** The connection of a stream or poll is seen to be broken. */
  broken(session, answer) {
    if (session?.slot?.answer !== answer) return;
    this.#clock.clearTimeout(session.slot.timer);
    session.slot = undefined;
    this.#idle(session);
  }

  // ----

  #create({ to, token, messages }) {
    const { code, ...who } = this.signIn(token);
    if (code) return error(code);
    if (messages) throw new Error('a creation with messages may publish twice');
    this.created++;
    const session = {
      id: `s${++this.#count}`,
      key: `k${this.#count}-0123456789`,
      to,
      user: who.user,
      attach: 0,
      got: 0,
      early: new Map(),
      acked: 0,
      out: [],
      acks: [],
      tell: (value) => {
        session.out.push(JSON.parse(JSON.stringify(value)));
        this.#serve(session);
      },
    };
    this.sessions.set(session.id, session);
    this.#idle(session);
    const { id, key } = session;
    return { session: id, key, ...who, wait: WAIT, inactivity: INACTIVITY, ping: PING, limits: this.limits, ack: 0 };
  }

  #find({ session: id, key, token }) {
    const session = this.sessions.get(id);
    if (!session) return error('gone');
    if (session.key !== key) return error('forbidden');
    if (token === undefined) return session;
    const { code, user } = this.signIn(token);
    if (code) return error(code);
    return user === session.user ? session : error('forbidden');
  }

  /** Acknowledgement and messages of an object; gives an error object if it is refused. */
  #take(session, { ack = 0, attach, first, messages = [] }) {
    if (attach !== undefined && attach < session.attach) return undefined;
    if (ack > session.acked + session.out.length) return error('ahead');
    if (attach > session.attach && ack < session.acked) return error('gone');
    if (messages.length && first === undefined) throw new Error('messages without first');
    session.acks.push(ack);
    if (ack > session.acked) {
      session.out.splice(0, ack - session.acked);
      session.acked = ack;
    }
    if (first + messages.length - 1 > session.got + this.limits.window) return { ...error('window'), ack: session.got };
    messages.forEach((value, i) => first + i > session.got && session.early.set(first + i, value));
    for (let value; session.early.has(session.got + 1); ) {
      value = session.early.get(session.got + 1);
      session.early.delete(++session.got);
      if (session.to === 'raw') this.raw.push(value);
      else if (value?.op === 'refresh') this.refresh(session, value);
      else this.bus.take(session, value);
    }
    return undefined;
  }

  /** Makes a poll, stream or socket the one that is served. */
  #attach(session, { attach, ack }, slot, refuse) {
    if (attach > session.attach && ack < session.acked) return refuse(error('gone'), 410);
    // A copy of the newest poll is served like it.
    if (attach === session.attach && session.slot?.once) {
      const { answer } = session.slot;
      session.slot.answer = (object) => [answer, slot.answer].forEach((f) => f(object));
      return true;
    }
    session.attach = attach;
    session.slot?.answer({ replaced: true });
    if (session.slot) this.#clock.clearTimeout(session.slot.timer);
    session.slot = { ...slot, sent: ack };
    this.#clock.clearTimeout(session.timer);
    if (slot.once) session.slot.timer = this.#clock.setTimeout(() => this.#answerPoll(session), slot.wait);
    else {
      slot.answer({ ack: session.got, first: ack + 1 });
      this.#ping(session);
    }
    this.#serve(session);
    return true;
  }

  #serve(session) {
    const { slot } = session;
    if (!slot || session.acked + session.out.length <= slot.sent) return;
    if (slot.once) return this.#answerPoll(session);
    const messages = session.out.slice(slot.sent - session.acked);
    slot.sent += messages.length;
    slot.answer({ messages });
  }

  #answerPoll(session) {
    const { slot } = session;
    this.#clock.clearTimeout(slot.timer);
    session.slot = undefined;
    slot.answer({ ack: session.got, first: slot.sent + 1, messages: session.out.slice(slot.sent - session.acked) });
    this.#idle(session);
  }

  #ping(session) {
    const { slot } = session;
    slot.timer = this.#clock.setTimeout(() => {
      if (session.slot !== slot) return;
      slot.answer({});
      this.#ping(session);
    }, PING * 1000);
  }

  #idle(session) {
    this.#clock.clearTimeout(session.timer);
    session.timer = this.#clock.setTimeout(() => !session.slot && this.drop(session), INACTIVITY * 1000);
  }
}

const STATUS = { unauthorized: 401, expired: 401, gone: 410, forbidden: 403, ahead: 409, replaced: 409, window: 409, 'too-big': 413 };

function error(code) {
  return { error: { code, message: code } };
}

function status({ error: { code } }) {
  return STATUS[code];
}
