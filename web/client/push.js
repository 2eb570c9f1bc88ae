import { MochiError } from './error.js';

/**
 * Notifications for a page that is closed: docs/webpush.md. Its own module, for pages that want it.
 *
 *	const push = new Push({ token, worker: '/worker.js' });
 *	button.onclick = () => push.on({ topics: ['news'] });
 */
export class Push {
  #url;
  #worker;
  #token;
  #env;

  constructor({ url = '/push/web', worker, token, env = globalThis } = {}) {
    [this.#url, this.#worker, this.#token, this.#env] = [url, worker, token, env];
  }

  /** Whether this browser can, on this page: it needs https, or localhost. */
  get supported() {
    const { navigator, PushManager, Notification } = this.#env;
    return Boolean(navigator?.serviceWorker && PushManager && Notification);
  }

  /** Whether notifications are on in this browser. It asks nobody. */
  async isOn() {
    return this.supported && Boolean(await (await this.#registration()).pushManager.getSubscription());
  }

  /** Asks the user, subscribes, and tells the server. Browsers want a click first. */
  async on({ topics = [] } = {}) {
    if (!this.supported) throw new MochiError('unsupported', 'this browser has no Web Push');
    if ((await this.#env.Notification.requestPermission()) !== 'granted') {
      throw new MochiError('forbidden', 'the user wants no notifications');
    }
    const { pushManager } = await this.#registration();
    const { key } = await this.#call('GET');
    let subscription = await pushManager.getSubscription();
    if (subscription && encode(subscription.options.applicationServerKey) !== key) {
      await subscription.unsubscribe(); // the server has other keys now
      subscription = null;
    }
    subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    await this.#call('POST', { ...subscription.toJSON(), topics });
  }

  /** Ends it: here first, so that nothing comes even if the server is not there. */
  async off() {
    const subscription = this.supported && (await (await this.#registration()).pushManager.getSubscription());
    if (!subscription) return;
    await subscription.unsubscribe();
    await this.#call('DELETE', { endpoint: subscription.endpoint });
  }

  async #registration() {
    const { serviceWorker } = this.#env.navigator;
    if (this.#worker) await serviceWorker.register(this.#worker);
    return serviceWorker.ready;
  }

  async #call(method, body) {
    const token = typeof this.#token === 'function' ? await this.#token() : this.#token;
    const headers = { 'Content-Type': 'application/json' };
    if (token) headers.Authorization = `Bearer ${token}`;
    let response;
    let answer;
    try {
      response = await this.#env.fetch(this.#url, method === 'GET' ? {} : { method, headers, body: JSON.stringify(body) });
      answer = await response.json();
    } catch (cause) {
      throw response ? new MochiError('http', 'there is no Web Push here', { cause }) : new MochiError('network', 'the server cannot be reached', { cause });
    }
    if (!response.ok) throw new MochiError(answer.error?.code ?? 'http', answer.error?.message);
    return answer;
  }
}

function encode(buffer) {
  const text = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
