/**
 * The only kind of error this client makes.
 *
 * `code` is one of the protocol's (see docs/push-v1.md, section 7, and docs/bus.md), or one of ours: `network`,
 * `http` (an answer that is not of our server), `silent`, `lost`, `closed`, `superseded`, `unsupported`, `full`, `timeout`, `token`.
 */
export class MochiError extends Error {
  constructor(code, message = code, more) {
    super(message);
    Object.assign(this, { name: 'MochiError', code, ...more });
  }
}
