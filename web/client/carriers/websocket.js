import { MochiError } from '../error.js';
import { parse } from '../http.js';

/** RFC 6455 §7.4.1 */
const TOO_BIG = 1009;

/** Both directions over one WebSocket (docs/push-v1.md, 4.3). */
export function websocket(link) {
  const { env, urls } = link.session;
  const socket = new env.WebSocket(socketURL(urls.websocket, env.base), 'push.v1');
  socket.onopen = () => socket.send(JSON.stringify(link.hello()));
  socket.onmessage = ({ data }) => link.receive(parse(data), data.length);
  socket.onclose = ({ code }) => link.lost(new MochiError(code === TOO_BIG ? 'too-big' : 'lost', `websocket closed: ${code}`));
  return {
    send: (text) => socket.send(text),
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
}

/** Not every browser takes a relative URL for a WebSocket yet. */
function socketURL(path, base) {
  const url = new URL(path, base);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
}
