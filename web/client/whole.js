// What mochi.min.js is made of: the client, and what the parts that are loaded on demand have of it.
export * from './mochi.js';
export { makeBackoff } from './backoff.js';
export { post } from './http.js';
