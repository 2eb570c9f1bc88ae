// What the findings mean to somebody who has to do with this network.

export const names = { websocket: 'WebSocket', sse: 'Server-sent events', longpoll: 'Long-poll' };

export const labels = {
  good: 'works',
  cut: 'cut',
  buffered: 'buffered',
  silent: 'silent',
  blocked: 'blocked',
  foreign: 'blocked',
  'sign-in': 'sign-in needed',
};

const round = (seconds) => (seconds < 10 ? seconds.toFixed(1) : Math.round(seconds));

/** One sentence or two for a card. */
export function explain(carrier, { verdict, ms, after, status }, seconds) {
  const what = { websocket: 'The socket', sse: 'The stream', longpoll: 'A held request' }[carrier];
  const time = ms === undefined ? '' : ` An exchange takes ${Math.round(ms)} ms.`;
  switch (verdict) {
    case 'good':
      return `${what} was open for ${seconds} s, and nothing disturbed it.${time}`;
    case 'cut':
      return carrier === 'longpoll'
        ? `Something on the way ends a request that waits for ${round(after)} s. The client notices, and has its requests wait for less.${time}`
        : `Something on the way cut it after ${round(after)} s. The client comes back at once and loses nothing, but a longer time limit in the proxy would spare both sides the work.${time}`;
    case 'buffered':
      return 'Something on the way keeps what the server says until there is more of it, or until the stream is over. The client notices that within five seconds and takes another carrier. In nginx, “proxy_buffering off” for this address mends it.';
    case 'silent':
      return 'The connection opens, and then nothing comes through it, not even when it ends. The client waits for five seconds and takes another carrier.';
    case 'foreign':
      return `Something other than mochibosh answered (${status}). A proxy, a login page of the network or a filter takes these requests for itself.`;
    case 'sign-in':
      return 'The server wants to know who you are. Give a token above and run again.';
    default:
      return carrier === 'websocket'
        ? 'The socket does not open. A proxy that does not know WebSockets refuses it, or does not pass on the headers Upgrade and Connection.'
        : 'No answer came. Something on the way holds these requests up, or the server cannot be reached.';
  }
}

/** What it comes to for who uses the client. */
export function summary(findings) {
  const best = ['websocket', 'sse', 'longpoll'].find((carrier) => ['good', 'cut'].includes(findings[carrier].verdict));
  if (Object.values(findings).some(({ verdict }) => verdict === 'sign-in')) return { mood: 'wait', text: 'The server asks for a token.' };
  if (!best) return { mood: 'bad', text: 'No carrier gets through here. Is the server up, and this page from it?' };
  const rest = best === 'websocket' ? '' : ', as what would be better does not work';
  const cut = findings[best].verdict === 'cut' ? ' It has to come back now and then, and loses nothing by that.' : '';
  return { mood: best === 'websocket' && !cut ? 'good' : 'fair', text: `The client works here: it takes ${names[best]}${rest}.${cut}` };
}
