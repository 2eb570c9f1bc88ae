import { MochiError } from '../error.js';
import { exchange, parse } from '../http.js';

/** A stream of server-sent events down (docs/push-v1.md, 4.2); what we send goes by posts. */
export function sse(link) {
  const { env, urls } = link.session;
  const abort = new AbortController();
  let source;

  async function open() {
    const { ticket } = await exchange(env, urls.sse, JSON.stringify(link.hello()), { abort });
    if (link.done) return;
    const mark = urls.sse.includes('?') ? '&' : '?';
    source = new env.EventSource(`${urls.sse}${mark}ticket=${encodeURIComponent(ticket)}`);
    source.onmessage = ({ data }) => link.receive(parse(data), data.length);
    // The browser would try again by itself, but with the same ticket, which is good for one stream.
    source.onerror = () => link.lost(new MochiError('lost', 'sse closed'));
  }

  open().catch((error) => link.lost(error));
  return {
    close() {
      abort.abort();
      source?.close();
    },
  };
}
