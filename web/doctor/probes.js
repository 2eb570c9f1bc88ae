// Tries each carrier of push.v1 (docs/push-v1.md) by itself, without the client, and says what came of it. A probe
// gives {verdict, ms, after, status}: `verdict` is 'good', 'cut', 'buffered', 'silent', 'blocked', 'foreign' or
// 'sign-in'; `ms` is the time of one exchange; `after`, for 'cut', the seconds after which the connection broke.

/** Milliseconds within which something must come that the server says at once. */
const PROMPT = 5000;
/** Milliseconds in which a buffer lets go of what it has, once the stream is over. */
const RELEASE = 3000;
/** Something that the server answers on the stream, whatever it thinks of it. */
const QUESTION = { op: 'presence', topic: 'doctor', ref: 'doctor' };

class Finding extends Error {
  constructor(verdict, more) {
    super(verdict);
    Object.assign(this, { finding: { verdict, ...more } });
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const within = (ms, promise) => Promise.race([promise, sleep(ms).then(() => undefined)]);

/** Runs a probe: what it finds it gives, or throws. */
async function finding(probe) {
  try {
    return await probe();
  } catch (error) {
    if (error.finding) return error.finding;
    throw error;
  }
}

async function post(url, object, timeout = PROMPT) {
  const began = performance.now();
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(object), signal: AbortSignal.timeout(timeout), cache: 'no-store' })
    .then(async (response) => ({ status: response.status, text: await response.text() }))
    .catch(() => undefined);
  if (!answer) throw new Finding('blocked', { after: (performance.now() - began) / 1000 });
  const value = parse(answer.text);
  if (!value) throw new Finding('foreign', { status: answer.status });
  return { ...answer, value, ms: performance.now() - began };
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A session of our own, by a post as all carriers but the WebSocket make it. */
async function create({ base, token }) {
  const { value } = await post(base, { token: token || undefined });
  if (['unauthorized', 'expired'].includes(value.error?.code)) throw new Finding('sign-in');
  if (!value.session) throw new Finding('foreign', { status: value.error?.code });
  return { session: value.session, key: value.key };
}

const end = (base, name) => post(base, { ...name, end: true }).catch(() => {});

/** Holds something for a while: gives when it broke, in seconds, if it did. */
async function hold(seconds, broken, tick) {
  const began = performance.now();
  const passed = () => (performance.now() - began) / 1000;
  let over = false;
  broken.then(() => (over = true));
  while (!over && passed() < seconds) {
    tick(passed() / seconds);
    await Promise.race([broken, sleep(200)]);
  }
  return over && passed() < seconds ? passed() : undefined;
}

export function longpoll(settings, tick) {
  return finding(async () => {
    const { base, seconds } = settings;
    const name = await create(settings);
    const { ms } = await post(base, { ...name, attach: 1, ack: 0, wait: 0 });
    const held = finding(() => post(base, { ...name, attach: 2, ack: 0, wait: seconds }, (seconds + 10) * 1000));
    const after = await hold(seconds - 1, held, tick);
    const answer = await held;
    await end(base, name);
    if (answer.verdict) return { verdict: 'cut', ms, after: after ?? answer.after };
    return { verdict: 'good', ms };
  });
}

export function sse(settings, tick) {
  return finding(async () => {
    const { base, seconds } = settings;
    const name = await create(settings);
    const { value } = await post(`${base}/sse`, { ...name, attach: 1, ack: 0 });
    const began = performance.now();
    const source = new EventSource(`${base}/sse?ticket=${encodeURIComponent(value.ticket)}`);
    const events = listener();
    const broken = new Promise((resolve) => (source.onerror = resolve));
    source.onmessage = ({ data }) => events.heard(data);
    try {
      const first = await within(PROMPT, Promise.race([events.next(), broken.then(() => false)]));
      if (first === false) throw new Finding('blocked');
      if (first === undefined) {
        // A buffer lets go of what it has when the stream is over.
        await end(base, name);
        throw new Finding((await within(RELEASE, events.next())) ? 'buffered' : 'silent');
      }
      const ms = performance.now() - began;
      const answer = events.next();
      await post(base, { ...name, first: 1, messages: [QUESTION] });
      if (!(await within(PROMPT, answer))) throw new Finding('buffered', { ms });
      const after = await hold(seconds, broken, tick);
      return after === undefined ? { verdict: 'good', ms } : { verdict: 'cut', ms, after };
    } finally {
      source.close();
      end(base, name);
    }
  });
}

export function websocket(settings, tick) {
  return finding(async () => {
    const { base, seconds, token } = settings;
    const url = new URL(`${base}/ws`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, 'push.v1');
    const messages = listener();
    const broken = new Promise((resolve) => (socket.onclose = resolve));
    socket.onmessage = ({ data }) => messages.heard(data);
    socket.onopen = () => socket.send(JSON.stringify({ token: token || undefined }));
    const next = () => within(PROMPT, Promise.race([messages.next(), broken.then(() => false)]));
    try {
      const first = parse((await next()) || '');
      if (['unauthorized', 'expired'].includes(first?.error?.code)) throw new Finding('sign-in');
      if (!first?.session) throw new Finding(socket.readyState === WebSocket.OPEN ? 'silent' : 'blocked');
      const began = performance.now();
      socket.send(JSON.stringify({ messages: [QUESTION] }));
      if (!(await next())) throw new Finding('silent');
      const ms = performance.now() - began;
      const after = await hold(seconds, broken, tick);
      return after === undefined ? { verdict: 'good', ms } : { verdict: 'cut', ms, after };
    } finally {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ end: true }));
      socket.close();
    }
  });
}

/** What comes, one after the other. */
function listener() {
  const waiting = [];
  const queue = [];
  return {
    heard: (data) => (waiting.length ? waiting.shift()(data) : queue.push(data)),
    next: () => (queue.length ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve))),
  };
}
