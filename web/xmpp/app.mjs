import { addresses } from './addresses.mjs';
import { BoshSession } from './bosh.mjs';
import { $, el, say, size } from './dom.mjs';
import { pageEnvironment } from './environment.mjs';
import { parseJID } from './jid.mjs';
import { Latency } from './latency.mjs';
import { PING } from './namespaces.mjs';
import { StanzaList } from './stanzalist.mjs';
import { XMPPStream } from './stream.mjs';
import { templates } from './templates.mjs';
import { look, Timeline } from './timeline.mjs';
import { WebSocketSession } from './websocket.mjs';
import { WindowStrip } from './windowstrip.mjs';

const PING_EVERY = 5000;

const env = pageEnvironment();
const timeline = new Timeline($('timeline'), { now: env.now });
const strip = new WindowStrip($('window'));
const list = new StanzaList({ list: $('stanza-list'), count: $('count'), empty: $('empty'), onedit: edit });
const latency = new Latency({ last: $('rtt-last'), median: $('rtt-median'), p95: $('rtt-p95'), line: $('rtt-line') });

let session;
let channel;
let stream;
let user = { domain: 'example.org', bare: 'ann@example.org' };
let traffic;

function state(kind, text) {
  $('status').dataset.state = kind;
  say($('status'), text);
}

function trouble(node, text = '') {
  node.hidden = !text;
  say(node, text);
}

// ---- connecting

$('connect').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target));
  const jid = parseJID(form.jid);
  if (!jid?.local) return trouble($('trouble'), 'A JID is user@domain.');
  await connect(jid, form);
});

async function connect(jid, { password, carrier, bosh, websocket, wait, hold }) {
  trouble($('trouble'));
  user = jid;
  traffic = { requests: 0, repeats: 0, out: 0, in: 0, open: new Set() };
  timeline.clear();
  latency.clear();
  layout(carrier);
  $('go').disabled = true;
  const on = { request, frame, stanza: (stanza) => list.add(stanza), created, trouble: ({ message }) => state('busy', message) };
  session = carrier === 'bosh'
    ? new BoshSession({ url: bosh, wait: Number(wait), hold: Number(hold), env, on })
    : new WebSocketSession({ url: websocket, env, on });
  const mine = session;
  state('busy', 'connecting');
  channel = session.connect({ to: jid.domain });
  channel.closed.then((reason) => mine === session && ended(reason));
  try {
    const onstep = (step) => state('busy', step);
    stream = await XMPPStream.login(channel, { local: jid.local, password, resource: jid.resource, env, onstep });
    online(carrier);
  } catch (error) {
    if (!channel.ended) channel.close();
    ended(error);
  }
}

function online(carrier) {
  $('password').value = '';
  state('online', carrier === 'bosh' ? 'online over BOSH' : 'online over WebSocket');
  say($('who'), stream.jid);
  document.title = `${stream.jid} · XMPP console`;
  facts();
  $('connect').hidden = true;
  $('facts-box').hidden = false;
  say($('connect-title'), 'Session');
  $('send').disabled = false;
  $('leave').focus();
  ping();
}

function created() {
  timeline.lanes = session.agreed.requests ?? 2;
}

function facts() {
  const { agreed } = session;
  const rows = { Server: agreed.from || user.domain, SASL: stream.mechanism };
  if (agreed.requests) {
    Object.assign(rows, {
      'wait': `${agreed.wait} s`,
      'hold': agreed.hold,
      'requests': agreed.requests,
      'inactivity': agreed.inactivity ? `${agreed.inactivity} s` : 'not said',
      'polling': agreed.polling ? `${agreed.polling} s` : 'not said',
      'acks': agreed.acks ? 'yes' : 'no',
      'streams': session.multiplexed ? 'several' : 'one',
      'ver': agreed.ver || 'none',
    });
  }
  $('facts').replaceChildren(...Object.entries(rows).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))]));
}

function ended(reason) {
  if (!session) return;
  const fine = reason.condition === 'closed';
  session = undefined;
  stream = undefined;
  state(fine ? 'idle' : 'failed', fine ? 'closed' : 'ended');
  trouble($('trouble'), fine ? '' : reason.message);
  say($('who'), 'not connected');
  document.title = 'XMPP console';
  const lost = !$('facts-box').hidden && $('facts-box').contains(document.activeElement);
  $('connect').hidden = false;
  $('facts-box').hidden = true;
  say($('connect-title'), 'Connect');
  $('go').disabled = false;
  $('send').disabled = true;
  strip.clear();
  if (lost) $('jid').focus();
}

$('leave').addEventListener('click', () => channel.close());
addEventListener('pagehide', ({ persisted }) => persisted || session?.leave());

function layout(carrier) {
  const bosh = carrier === 'bosh';
  $('window-box').hidden = !bosh;
  $('legend-bosh').hidden = !bosh;
  $('legend-websocket').hidden = bosh;
  say($('lanes-title'), bosh ? 'Requests of the last 30 seconds' : 'Messages of the last 30 seconds: sent above, received below');
  say($('requests-word'), bosh ? 'requests' : 'messages');
}

// ---- the wire

function request(record) {
  traffic.requests++;
  traffic.out += record.body.length;
  traffic.open.add(record);
  timeline.request(record);
}

function frame(message) {
  traffic.requests++;
  traffic[message.direction] += message.xml.length;
  timeline.frame(message);
}

function count() {
  if (!traffic) return;
  for (const record of traffic.open) {
    if (record.endedAt === undefined) continue;
    traffic.open.delete(record);
    traffic.in += record.bytes ?? 0;
    traffic.repeats += record.attempts - 1;
  }
  say($('requests'), String(traffic.requests));
  say($('repeats'), String(traffic.repeats));
  say($('bytes-out'), size(traffic.out));
  say($('bytes-in'), size(traffic.in));
  if (!session?.window) return;
  strip.show(session);
  const held = session.open.filter((record) => look(record) === 'holding').length;
  timeline.describe(`${session.open.length} requests open, ${held} of them held`);
}

setInterval(count, 100);

async function ping() {
  const { domain } = user;
  const mine = stream;
  const from = env.now();
  try {
    await mine.query('get', `<ping xmlns='${PING}'/>`, domain);
  } catch (error) {
    // An error is an answer too; the end of the stream is none.
    if (!mine || mine !== stream || !error.condition || error.condition === 'network') return;
  }
  if (mine === stream) latency.add(env.now() - from);
}

setInterval(() => stream && $('auto-ping').checked && ping(), PING_EVERY);

// ---- sending

for (const [name, template] of Object.entries(templates)) {
  $('templates').append(el('button', { type: 'button', class: 'small', click: () => edit(template(user)) }, name));
}

function edit(xml) {
  $('xml').value = xml;
  trouble($('xml-trouble'));
  $('xml').focus();
}

$('xml').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) $('compose').requestSubmit();
});

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!stream) return;
  try {
    stream.send($('xml').value);
    trouble($('xml-trouble'));
  } catch (error) {
    trouble($('xml-trouble'), error.message);
  }
});

// ---- the list

const hidden = new Set();
for (const [kind, label] of Object.entries({ out: '↑ sent', in: '↓ received', message: 'message', presence: 'presence', iq: 'iq', other: 'other' })) {
  const toggle = ({ currentTarget: button }) => {
    const shown = button.getAttribute('aria-pressed') === 'false';
    button.setAttribute('aria-pressed', String(shown));
    if (shown) hidden.delete(kind);
    else hidden.add(kind);
    list.filter({ hidden });
  };
  $('kinds').append(el('button', { type: 'button', class: 'small', 'aria-pressed': 'true', click: toggle }, label));
}
$('filter').addEventListener('input', ({ target }) => list.filter({ text: target.value }));
$('clear').addEventListener('click', () => list.clear());

$('insecure').hidden = Boolean(env.crypto.subtle);
const { bosh, websocket } = await addresses(env, location.href);
$('bosh-url').value ||= bosh;
$('websocket-url').value ||= websocket;
