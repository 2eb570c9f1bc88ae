// Notifications for a page that is closed: docs/webpush.md.

export interface PushOptions {
  /** Where the server takes subscriptions. */
  url?: string; // '/push/web'
  /** The service worker to register; without one, that which the page has registered. */
  worker?: string;
  /** That of the session, or what gives one. */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** What is taken from the world: for tests. */
  env?: any;
}

export class Push {
  constructor(options?: PushOptions);
  /** Whether this browser can, on this page. */
  readonly supported: boolean;
  /** Whether notifications are on in this browser. */
  isOn(): Promise<boolean>;
  /** Asks the user, subscribes, and tells the server. Call it from a click. Fails with a MochiError. */
  on(options?: { topics?: string[] }): Promise<void>;
  off(): Promise<void>;
}
