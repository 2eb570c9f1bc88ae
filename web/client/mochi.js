// The browser client of mochibosh: topics and messages over whatever connection works.
export { connect } from './client.js';
export { MochiError } from './error.js';
