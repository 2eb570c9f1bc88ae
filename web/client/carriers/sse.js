import { MochiError } from '../error.js';
import { parse } from '../http.js';

/** A stream of server-sent events down (docs/push-v1.md, 4.2); what we send goes by posts. */
export function sse(link, session) {
  const { env, urls } = session;
  const abort = new AbortController();
  let source;

  async function open() {
    const { ticket } = await session.exchange(JSON.stringify(session.hello(link)), { abort }, urls.sse);
    if (link.done) return;
    const mark = urls.sse.includes('?') ? '&' : '?';
    source = new env.EventSource(`${urls.sse}${mark}ticket=${encodeURIComponent(ticket)}`);
    source.onmessage = ({ data }) => link.receive(parse(data), data.length);
    // The browser would try again by itself, but with the same ticket, which is good for one stream.
    source.onerror = () => link.lost(new MochiError('lost', 'stream closed'));
  }

  open().catch(link.lost);
  return {
    close() {
      abort.abort();
      source?.close();
    },
  };
}
