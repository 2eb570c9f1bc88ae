// What mochi.min.js is made of: the client, and what the parts that are loaded on demand have of it.
export * from './mochi.js';
export { Backoff } from './backoff.js';
export { post } from './http.js';
export { Keeper } from './keeper.js';
export { PushSession } from './session.js';
export { Store } from './store.js';
