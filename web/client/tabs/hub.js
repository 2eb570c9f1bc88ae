/** Tabs that share one connection at most. */
const MAX_TABS = 50;
/** Milliseconds after which a tab that says nothing is forgotten, where no lock tells that it is gone. */
const FORGET = 180_000;
/** Milliseconds after which all tabs have subscribed in a session that was taken up again. */
const SETTLED = 10_000;
/** What concerns the session, which is the leading tab's. */
const PRIVATE = ['expiring', 'expired', 'refreshed'];

/**
 * The one session of all tabs, in the tab that leads: what they say goes into it, what it says goes to them. To the
 * server it is one client, which subscribes once to each topic that any of the tabs wants.
 *
 * Each tab subscribes again when there is a new session or a new leader, from its own position. So messages of a
 * topic may come here twice; a tab drops what it has.
 */
export class Hub {
  /** Names the session that is open: each tab subscribes once in each. */
  open = '';
  resumed = false;
  keeper;
  #env;
  #id;
  #age;
  #channel;
  #on;
  /** When each tab was last heard of. */
  #tabs = new Map();
  /** Topic → tab → its presence there. */
  #topics = new Map();
  #count = 0;
  #openedAt = 0;
  #restoredAt;
  /** Published by tabs that are gone, in a session that is gone: nobody else will say it again. */
  #orphans = [];
  #state = { state: 'connecting', carrier: '' };

  /** @param channel {post(message), alive(tab, gone)} */
  constructor({ setup, openStore, makeKeeper, id, name, age }, channel, on) {
    this.#env = setup.env;
    this.#id = id;
    this.#age = age;
    this.#channel = channel;
    this.#on = on;
    this.keeper = makeKeeper(setup, () => openStore(name, true), {
      restored: ({ at }) => (this.#restoredAt = at),
      opened: (resumed) => this.#opened(resumed),
      state: (state, carrier, error) => this.#setState(state, carrier, error),
      message: (value, current) => this.#message(value, current),
      positions: () => ({ stored: {} }),
      toPublish: () => this.#orphans,
      refused: (json) => this.#refused(JSON.parse(json)),
      trouble: (error) => on.trouble(error),
      lost: (unsent) => this.#lost(unsent),
      unheld: () => {},
      ended: (error) => this.#ended(error),
    });
  }

  get others() {
    return this.#tabs.size > 0;
  }

  wants(topic) {
    return this.#topics.has(topic);
  }

  /** Tells the tabs how things are, or one of them. */
  tell(more) {
    const { open, resumed } = this;
    this.#channel.post({ lead: true, open, resumed, user: this.keeper.current?.user, ...this.#state, ...more });
  }

  /** A tab asks who leads: it is one of ours from now on. */
  ask(tab) {
    const now = this.#env.now();
    for (const [other, at] of this.#tabs) if (!this.#env.locks && now - at > FORGET) this.bye(other);
    const fresh = !this.#tabs.has(tab);
    if (fresh) {
      if (this.#tabs.size >= MAX_TABS - 1) return this.#channel.post({ to: tab, full: true });
      this.#channel.alive(tab, () => this.bye(tab));
    }
    this.#tabs.set(tab, now);
    return this.tell({ to: tab, fresh });
  }

  bye(tab) {
    this.#tabs.delete(tab);
    for (const topic of [...this.#topics.keys()]) this.#leave(tab, topic);
  }

  /** What a tab has to say, the one that leads among them. */
  say(tab, json) {
    const value = JSON.parse(json);
    const { op, topic, presence } = value;
    if (op === 'unsubscribe') return this.#leave(tab, topic);
    if (op !== 'subscribe') return this.#send(json);
    const there = this.#topics.get(topic) ?? new Map();
    there.set(tab, presence);
    this.#topics.set(topic, there);
    return this.#send(JSON.stringify({ ...value, presence: presence ?? presenceOf(there) }));
  }

  /** Another tab goes on with the session. */
  handOver() {
    this.keeper.close(true);
  }

  // ----

  #send(json) {
    if (!this.keeper.ready) return;
    try {
      this.keeper.current.send(json);
    } catch ({ code, message }) {
      this.#refused(JSON.parse(json), { code, message });
    }
  }

  /** Of the topic nothing is wanted any more by one tab; the session leaves it with the last one. */
  #leave(tab, topic) {
    const there = this.#topics.get(topic);
    const presence = there?.get(tab);
    if (!there?.delete(tab)) return;
    if (there.size) {
      const [other] = there.keys();
      if (presence !== undefined) this.#tellOne(other, { again: topic });
      return;
    }
    this.#topics.delete(topic);
    this.#send(JSON.stringify({ op: 'unsubscribe', topic, ref: `${this.#id}.` }));
  }

  #opened(resumed) {
    this.open = `${this.#id}.${++this.#count}`;
    this.resumed = resumed;
    this.#openedAt = this.#env.now();
    this.#topics.clear();
    for (const op of this.#orphans.splice(0)) this.#send(JSON.stringify(op));
    this.tell();
    this.#on.opened(resumed);
  }

  #lost(unsent) {
    this.open = '';
    const young = !(this.#env.now() - this.#restoredAt > this.#age);
    const ours = ({ op, ref }) => op === 'publish' && !this.#isThere(tabOf(ref));
    if (young) this.#orphans.push(...unsent.map((json) => JSON.parse(json) ?? {}).filter(ours));
    this.tell();
    this.#on.lost([]);
  }

  #tellOne(tab, message) {
    if (tab === this.#id) this.#on.again(message.again);
    else this.#channel.post({ to: tab, ...message });
  }

  #isThere(tab) {
    return tab === this.#id || this.#tabs.has(tab);
  }

  #setState(state, carrier, error) {
    this.#state = { state, carrier, reason: error?.code };
    this.tell();
    this.#on.state(state, carrier, error);
  }

  #ended({ code, message }) {
    this.#channel.post({ end: { code, message } });
    this.#on.end({ code, message });
  }

  #refused({ ref, topic }, { code, message } = { code: 'too-big', message: 'too-big' }) {
    this.#message({ type: 'error', ref, topic, code, message }, true);
  }

  /** Answers go to who asked, the rest to all. The acknowledgement waits for the tab that leads. */
  #message(value, current) {
    const tab = tabOf(value?.ref);
    if (value?.type === 'refreshed') this.#channel.post({ hear: value });
    if (tab === this.#id || (PRIVATE.includes(value?.type) && !tab)) return this.#on.message(value, current);
    if (tab) return void this.#channel.post({ to: tab, hear: value });
    if (!current) return undefined;
    const { topic } = value ?? {};
    if (typeof topic === 'string' && !this.wants(topic)) return this.#stray(topic);
    this.#channel.post({ hear: value });
    return this.#on.message(value, current);
  }

  /** A topic that the tab which led before listened to, but none of those here. */
  #stray(topic) {
    if (this.#env.now() - this.#openedAt < SETTLED) return;
    this.#send(JSON.stringify({ op: 'unsubscribe', topic, ref: `${this.#id}.` }));
  }
}

/** A ref begins with the id of the tab that asks. */
function tabOf(ref) {
  return typeof ref === 'string' ? ref.split('.')[0] : '';
}

/** All tabs are one member: the one who came last says under what. */
function presenceOf(there) {
  return [...there.values()].findLast((presence) => presence !== undefined);
}
