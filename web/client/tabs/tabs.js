import { MochiError } from '../error.js';
import { byLock, byTalk } from './election.js';
import { Hub } from './hub.js';

/**
 * What a client speaks to where all tabs of the browser share one connection. It has the face of a keeper of sessions:
 * in the tab that leads it is the hub's, in the others the hub is spoken to over a channel.
 */
class Tabs {
  current = { usable: false, send: (json) => this.#say({ say: json }), withdraw: (json) => this.#say({ withdraw: json }) };
  #options;
  #env;
  #id;
  #on;
  #channel;
  #election;
  #hub;
  #bosh;
  #leader;
  #open = '';
  #free = () => {};

  constructor(options, on) {
    this.#options = options;
    this.#env = options.setup.env;
    this.#id = options.id;
    this.#on = on;
  }

  begin(bosh) {
    const { name, store } = this.#options;
    this.#bosh = bosh;
    if (store) this.#on.restored(store.read());
    const channel = `mochi-tabs:${name}`;
    this.#channel = new this.#env.BroadcastChannel(channel);
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    // As long as this tab is there it has this lock, so that the others see when it is gone.
    this.#env.locks?.request(`mochi-tab:${this.#id}`, () => new Promise((free) => (this.#free = free)));
    const jobs = { lead: () => this.#lead(), yield: () => this.#yield(), post: (message) => this.#post(message) };
    this.#election = this.#env.locks ? byLock(this.#env, channel, jobs) : byTalk(this.#env, this.#id, jobs);
    this.#post({ ask: true });
  }

  get leading() {
    return !!this.#hub;
  }

  get ready() {
    return this.current.usable;
  }

  async use(carrier) {
    if (!this.#hub) throw new MochiError('unsupported', 'another tab has the connection');
    return this.#hub.keeper.use(carrier);
  }

  wake() {
    this.#hub?.keeper.wake();
  }

  save() {
    this.#options.store?.write(this.#on, { publishes: this.#on.toPublish() });
  }

  leave() {
    this.save();
    this.#hub?.keeper.leave();
    this.#post({ bye: true });
  }

  close() {
    this.#hub?.keeper.close(this.#hub.others);
    this.#hub = undefined;
    this.#quit();
    this.#options.store?.clear();
  }

  // ----

  #quit() {
    this.current.usable = false;
    this.#post({ bye: true });
    this.#election?.stop();
    this.#free();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #post(message) {
    this.#channel?.postMessage({ from: this.#id, ...message });
  }

  #say(message) {
    if (this.#hub) this.#do(this.#id, message);
    else this.#post({ to: this.#leader, ...message });
  }

  #do(tab, { say, withdraw }) {
    if (say) this.#hub.say(tab, say);
    if (withdraw) this.#hub.keeper.current?.withdraw(withdraw);
  }

  #heard(message) {
    const { from, to, ask, bye } = message;
    if (to && to !== this.#id) return;
    this.#election.heard(message);
    // Whoever leads by now would only be told the same.
    if (message.end) this.#end(message.end);
    else if (this.#hub) {
      if (message.lead) this.#hub.tell();
      else if (ask || message.claim) this.#hub.ask(from);
      else if (bye) this.#hub.bye(from);
      else if (to) this.#do(from, message);
    } else if (message.full) this.#alone();
    else this.#follow(message);
  }

  /** Something that the tab which leads says. */
  #follow({ from, to, lead, fresh, open, resumed, user, state, carrier, reason, hear, again, bye }) {
    // It has to know us before we say anything.
    if (lead && from !== this.#leader && !to) return this.#post({ ask: true });
    if (lead) {
      this.#leader = from;
      this.current.user = user;
      if (open !== this.#open || fresh) this.#lost();
      if (state !== 'closed') this.#on.state(state, carrier, reason && new MochiError(reason));
      if (open && !this.#open) this.#opened(open, resumed);
    }
    if (from !== this.#leader) return undefined;
    if (bye) {
      this.#lost();
      this.#on.state('reconnecting', '');
    }
    if (again !== undefined) this.#on.resubscribe(again);
    return hear === undefined || !this.#open ? undefined : this.#on.message(hear, true);
  }

  #opened(open, resumed) {
    this.#open = open;
    this.current.usable = true;
    this.#on.opened(resumed);
  }

  #lost() {
    if (!this.#open) return;
    this.#open = '';
    this.current.usable = false;
    this.#on.lost([]);
  }

  #end({ code, message }) {
    this.#on.ended(new MochiError(code, message));
  }

  /** This tab leads from now on. It goes on with the session of the one before, if that is to be had. */
  #lead() {
    this.#lost();
    this.#leader = this.#id;
    const post = (message) => this.#post(message);
    const alive = (tab, gone) => this.#env.locks?.request(`mochi-tab:${tab}`, gone);
    this.#hub = new Hub(this.#options, { post, alive }, {
      opened: (resumed) => this.#opened(this.#hub.open, resumed),
      state: (...news) => {
        this.current.user = this.#hub.keeper.current?.user;
        this.#on.state(...news);
      },
      message: (value, current) => this.#on.message(value, current),
      trouble: (error) => this.#on.trouble(error),
      lost: () => this.#lost(),
      again: (topic) => this.#on.resubscribe(topic),
      end: (error) => this.#end(error),
    });
    this.#hub.tell();
    this.#hub.keeper.begin(this.#bosh);
  }

  /** Another one leads. */
  #yield() {
    this.#hub.handOver();
    this.#hub = undefined;
    this.#lost();
    this.#leader = undefined;
    this.#on.state('reconnecting', '');
  }

  /** The tabs are too many: this one has a connection of its own. */
  #alone() {
    this.#quit();
    this.#on.alone();
  }
}

export function makeTabs(options, on) {
  return new Tabs(options, on);
}
