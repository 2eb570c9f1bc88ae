import { MochiError } from '../error.js';
import { parse } from '../http.js';

/** RFC 6455 §7.4.1 */
const TOO_BIG = 1009;

/** Both directions over one WebSocket (docs/push-v1.md, 4.3). */
export function websocket(link, session) {
  const { env, urls } = session;
  // Not every browser takes a relative URL for a WebSocket yet.
  const url = new URL(urls.websocket, env.base).href.replace(/^http/, 'ws');
  const socket = new env.WebSocket(url, 'push.v1');
  socket.onopen = () => link.done || socket.send(JSON.stringify(session.hello(link)));
  socket.onmessage = ({ data }) => link.receive(parse(data), data.length);
  socket.onclose = ({ code }) => link.lost(new MochiError(code === TOO_BIG ? 'too-big' : 'lost', `stream closed: ${code}`));
  return {
    send: (text) => socket.send(text),
    close: () => socket.close(),
  };
}
