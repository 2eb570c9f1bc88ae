import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { Push } from '../../client/push.js';

/** A browser that has said yes or no, and a server that takes what comes. */
function world({ permission = 'granted', key = 'AQID', refusal } = {}) {
  const calls = [];
  let current = null;
  const subscription = (applicationServerKey) => ({
    endpoint: 'https://push.example/1',
    options: { applicationServerKey: Uint8Array.from(Buffer.from(applicationServerKey, 'base64url')).buffer },
    toJSON: () => ({ endpoint: 'https://push.example/1', keys: { p256dh: 'p', auth: 'a' } }),
    unsubscribe: async () => {
      current = null;
      calls.push('unsubscribe');
    },
  });
  const pushManager = {
    getSubscription: async () => current,
    subscribe: async ({ applicationServerKey, userVisibleOnly }) => {
      calls.push(`subscribe ${applicationServerKey} ${userVisibleOnly}`);
      return (current = subscription(applicationServerKey));
    },
  };
  const env = {
    PushManager: class {},
    Notification: { requestPermission: async () => permission },
    navigator: { serviceWorker: { register: async (url) => calls.push(`register ${url}`), ready: Promise.resolve({ pushManager }) } },
    fetch: async (url, { method = 'GET', headers, body } = {}) => {
      calls.push([method, url, headers?.Authorization, body].filter(Boolean).join(' '));
      const answer = method === 'GET' ? { key } : refusal ? { error: refusal } : {};
      return { ok: !answer.error, json: async () => answer };
    },
  };
  return { env, calls, have: (old) => (current = subscription(old)) };
}

test('on subscribes with the key of the server, and registers', async () => {
  const { env, calls } = world();
  const push = new Push({ env, worker: '/worker.js', token: async () => 'T' });
  assert.equal(await push.isOn(), false);
  calls.length = 0;
  await push.on({ topics: ['news'] });
  assert.deepEqual(calls, [
    'register /worker.js',
    'GET /push/web',
    'subscribe AQID true',
    'POST /push/web Bearer T {"endpoint":"https://push.example/1","keys":{"p256dh":"p","auth":"a"},"topics":["news"]}',
  ]);
  assert.equal(await push.isOn(), true);
});

test('a subscription with other keys is replaced, one with the same is not', async () => {
  const { env, calls, have } = world();
  have('BBBB');
  const push = new Push({ env });
  await push.on();
  assert.deepEqual(calls.slice(1, 3), ['unsubscribe', 'subscribe AQID true']);
  calls.length = 0;
  await push.on();
  assert.deepEqual(calls.map((call) => call.split(' ')[0]), ['GET', 'POST']);
});

test('off ends it here and there', async () => {
  const { env, calls, have } = world();
  have('AQID');
  const push = new Push({ env });
  await push.off();
  assert.deepEqual(calls, ['unsubscribe', 'DELETE /push/web {"endpoint":"https://push.example/1"}']);
  await push.off();
  assert.equal(calls.length, 2);
});

test('what goes wrong has a code', async () => {
  await assert.rejects(new Push({ env: {} }).on(), { code: 'unsupported' });
  await assert.rejects(new Push({ env: world({ permission: 'denied' }).env }).on(), { code: 'forbidden' });
  await assert.rejects(new Push({ env: world({ refusal: { code: 'unauthorized' } }).env }).on(), { code: 'unauthorized' });
  const down = { ...world().env, fetch: () => Promise.reject(new TypeError()) };
  await assert.rejects(new Push({ env: down }).on(), { code: 'network' });
});

/** Runs the worker's file, and gives what it shows and opens. */
function worker(open = []) {
  const did = [];
  const listeners = {};
  runInNewContext(readFileSync(new URL('../../client/pushworker.js', import.meta.url), 'utf8'), {
    URL,
    location: { origin: 'https://app.example' },
    addEventListener: (name, listener) => (listeners[name] = listener),
    registration: { showNotification: async (title, options) => did.push([title, JSON.parse(JSON.stringify(options))]) },
    clients: {
      matchAll: async () => open.map((url) => ({ url, focus: () => did.push(`focus ${url}`) })),
      openWindow: async (url) => did.push(`open ${url}`),
    },
  });
  return async (name, event) => {
    await new Promise((resolve, reject) => {
      listeners[name]({ ...event, waitUntil: (promise) => promise.then(resolve, reject) });
    });
    return did.splice(0);
  };
}

test('the worker shows what comes, whatever it is', async () => {
  const fire = worker();
  const data = (text) => ({ data: { json: () => JSON.parse(text) } });
  assert.deepEqual(await fire('push', data('{"title":"T","body":"B","tag":"g","url":"/u"}')), [['T', { body: 'B', tag: 'g', data: { url: '/u' } }]]);
  assert.deepEqual(await fire('push', data('no JSON')), [['News', { data: {} }]]);
  assert.deepEqual(await fire('push', {}), [['News', { data: {} }]]);
});

test('a click shows the page that is open, or opens one of this site', async () => {
  const fire = worker(['https://app.example/u']);
  const click = (url) => fire('notificationclick', { notification: { close() {}, data: { url } } });
  assert.deepEqual(await click('/u'), ['focus https://app.example/u']);
  assert.deepEqual(await click('/v'), ['open https://app.example/v']);
  assert.deepEqual(await click('https://evil.example/'), [].slice());
});
