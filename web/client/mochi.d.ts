// The client of mochibosh, for browsers, workers and Node.js: docs/client.md.

export type Carrier = 'websocket' | 'sse' | 'longpoll' | 'bosh';
export type State = 'connecting' | 'open' | 'reconnecting' | 'closed';
/** Anything that JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Options {
  /** Where the server is, unless it is that of the page: 'https://push.example'. */
  url?: string;
  /** Addresses of the carriers; `false` switches one off. SSE needs `longpoll` too: messages go up there. */
  longpoll?: string | false; // '/push'
  sse?: string | false; // '/push/sse'
  websocket?: string | false; // '/push/ws'
  bosh?: string | false; // '/http-bind'
  /** 'auto' (the default) takes the best push.v1 carrier that works here. BOSH is used only on demand. */
  carrier?: Carrier | 'auto';
  /** The backend wanted; the server's default if empty. */
  to?: string;
  /** Name under which the session survives a reload of the page (push.v1 only); false, the default: it ends with it. */
  resume?: string | false;
  /** Name under which all tabs of the browser share one connection; false, the default: each has its own. */
  tabs?: string | false;
  /** Proves who we are, or gives what does: it is called for each new session, and before the token expires. */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  queue?: Queue;

  // What is taken from the world unless it is given here: for tests, and for workers without DOMParser.
  fetch?: typeof fetch;
  WebSocket?: unknown;
  EventSource?: unknown;
  DOMParser?: unknown;
  BroadcastChannel?: unknown;
  locks?: unknown;
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  sharedStorage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  setTimeout?: (job: () => void, ms: number) => unknown;
  clearTimeout?: (timer: unknown) => void;
  now?: () => number;
  /** In [0, 1), and not to be guessed by anybody. */
  random?: () => number;
  /** What relative addresses are relative to. */
  base?: string;
  target?: unknown;
  document?: unknown;
}

/** What may wait to be confirmed. */
export interface Queue {
  messages?: number; // 1000
  bytes?: number; // 1 MiB
  /** Milliseconds, 240,000: less than the five minutes for which the bus remembers ids. Infinity: for ever. */
  age?: number;
}

export interface Member {
  /** Public, and stands for a session. */
  member: string;
  info: any;
}

export interface Message<T = any> {
  topic: string;
  /** Rises by one from message to message, within an epoch. */
  offset: number;
  data: T;
}

export interface Subscribed {
  /** After a break: whether every message since then follows. The first time it means nothing. */
  recovered: boolean;
  epoch: string;
  /** Just before the first message that follows. */
  offset: number;
  /** With `presence`. */
  members?: Member[];
}

/**
 * Handlers of a topic run one at a time. One that gives a promise is through when that is settled; only then is the
 * message acknowledged, and the next one handled.
 */
export interface SubscribeOptions<T = any> {
  /** How many old messages are wanted at first, and again after a reload of the page. */
  history?: number;
  /** Makes this page visible in the topic under this, and has it told who comes and goes. */
  presence?: Json;
  message?(message: Message<T>): unknown;
  subscribed?(event: Subscribed): unknown;
  join?(event: Member): unknown;
  leave?(event: Member): unknown;
  /** A newer token does not allow us to be seen here any more. We go on to be told of messages, but not of members. */
  hidden?(event: { code: string; message: string }): unknown;
  /** A newer token does not allow the subscription any more: nothing follows. */
  unsubscribed?(event: { code: string; message: string }): unknown;
  /** We were too slow, and messages up to this position were dropped. */
  dropped?(event: { epoch: string; offset: number }): unknown;
  /** The server refused the subscription. */
  error?(error: MochiError): unknown;
}

export interface Subscription {
  readonly topic: string;
  setPresence(info: Json): void;
  unsubscribe(): void;
}

export interface Events {
  /** `carrier` is in use, or being tried; `reason` is the code of an error. */
  state: { state: State; carrier: Carrier; reason?: string; error?: MochiError };
  /**
   * There is a session, and all topics are subscribed in it. `resumed`: it is that from before a reload. `recovered`:
   * nothing was lost with the one before. `unconfirmed`: what went with `send` and was lost, for all we know.
   */
  session: { resumed: boolean; recovered: boolean; unconfirmed: Json[] };
  /** A message that is not of the bus. A promise delays its acknowledgement. */
  message: any;
  /** Something failed: a connection (it is tried again without your help), or a handler of yours. */
  error: Error;
}

export interface Client {
  readonly state: State;
  readonly carrier: Carrier | '';
  /** Whom the server took us for, by the token. */
  readonly user: string | undefined;
  /** Whether the connection is this tab's; false: it is that of another one. */
  readonly leading: boolean;
  /** Gives a function that takes the listener off. */
  on<E extends keyof Events>(event: E, listener: (value: Events[E]) => unknown): () => void;
  /** Subscribing again to a topic replaces the subscription. */
  subscribe<T = any>(topic: string, options?: SubscribeOptions<T>): Subscription;
  /**
   * Settles when the message is in its topic, was refused, has waited for too long (`timeout`), or the client is
   * closed; through everything else it waits. If too much waits already it is refused at once (`full`).
   * With an `id` of your own it is published once, even if you publish it again within five minutes.
   */
  publish(topic: string, data: Json, options?: { id?: string; receipts?: string }): Promise<{ offset: number; duplicate: boolean }>;
  /** Who is in a topic. */
  presence(topic: string): Promise<Member[]>;
  /**
   * A message for a backend that is not the bus: once and in order as long as the session lives. Throws `full` if too
   * much waits. Not with `tabs`.
   */
  send(value: Json): void;
  /**
   * Switches to a carrier while all goes on; resolves when it is attached. If that fails it rejects, and the client
   * goes on as before.
   */
  use(carrier: Carrier | 'auto'): Promise<void>;
  /** Ends the session. What was published and not confirmed is rejected, though it may get there. */
  close(): void;
}

export function connect(options?: Options): Client;

export class MochiError extends Error {
  /**
   * Of the protocol, or `network`, `http` (an answer that is not of our server), `silent`, `lost`, `closed`,
   * `superseded`, `unsupported`, `full`, `timeout`, `token` (there is none to be had).
   */
  readonly code: string;
}
