// One session of the console's BOSH client, with a stream for each column.

import { BoshSession } from '/console/bosh.mjs';
import { $, say } from '/console/dom.mjs';
import { pageEnvironment } from '/console/environment.mjs';
import { CLIENT, JSON_0 } from '/console/namespaces.mjs';
import { XMPPStream } from '/console/stream.mjs';
import { Timeline } from '/console/timeline.mjs';
import { WindowStrip } from '/console/windowstrip.mjs';
import { escape, tag } from '/console/xml.mjs';
import { Column } from './column.mjs';

const TOPIC = 'square';

const env = pageEnvironment();
const timeline = new Timeline($('timeline'), {
  now: env.now,
  attributes: ({ channel, from }) => ({ 'data-to': column(channel), 'data-from': column(from) }),
});
const strip = new WindowStrip($('window'));
const columns = [];
let session;

function column(channel) {
  const at = columns.findIndex((entry) => channel && entry.channel === channel);
  return at < 0 ? undefined : at;
}

/** The session there is, or a new one: the first stream creates it. */
function theSession() {
  if (session && !session.over) return session;
  timeline.clear();
  const on = {
    request: (request) => timeline.request(request),
    end: (reason) => {
      show(reason.condition === 'closed' ? 'idle' : 'failed', reason.condition === 'closed' ? 'no session' : reason.message);
      strip.clear();
    },
    trouble: ({ message }) => show('busy', message),
  };
  session = new BoshSession({ url: '/http-bind', hold: 1, env, on });
  return session;
}

function show(kind, text) {
  $('status').dataset.state = kind;
  say($('status'), text);
  $('end').hidden = kind !== 'online';
  if (kind !== 'online') $('all').hidden = false;
}

function tally() {
  if (!session || session.over) return;
  const open = columns.filter(({ channel }) => channel && !channel.ended).length;
  $('all').hidden = open === columns.length;
  show('online', `one session, ${open} stream${open === 1 ? '' : 's'}`);
  strip.show(session);
  timeline.describe(`${session.open.length} requests of ${open} streams are open`);
}

function add(column, { to, xmpp, begin }) {
  const entry = { column, channel: undefined };
  column.onopen = async (fields) => {
    column.show('busy', 'opening');
    const channel = (entry.channel = theSession().connect({ to, xmpp }));
    let failure;
    channel.closed.then((reason) => {
      const fine = reason.condition === 'closed' && !failure;
      column.show(fine ? 'idle' : 'failed', fine ? 'closed' : 'failed');
      column.about(failure ?? (fine ? '' : reason.message));
    });
    try {
      await begin(channel, fields);
      column.show('online', 'open');
    } catch (error) {
      failure = error.message;
      channel.close();
    }
  };
  column.onclose = () => entry.channel.close();
  columns.push(entry);
  $('columns').append(column.node);
}

/** A column that chats with itself at a real server, and with an echo at ours. */
function addServer({ name, echoes }) {
  const fields = [
    { label: 'Name', name: 'local', value: echoes ? 'visitor' : '', autocomplete: 'off', autocapitalize: 'none' },
    { label: 'Password', name: 'password', type: 'password', value: echoes ? 'any' : '', autocomplete: 'off' },
  ];
  const column = new Column({ title: name, about: echoes ? 'lets in anybody, and sends everything back' : 'an XMPP server', fields });
  const begin = async (channel, { local, password }) => {
    const stream = await XMPPStream.login(channel, { local, password, resource: 'page', env, onstep: (step) => column.about(step) });
    column.about(`${stream.jid}, by ${stream.mechanism}`);
    stream.onstanza = (stanza) => {
      const body = stanza.name === 'message' && stanza.child('body');
      if (body) column.line('in', stanza.attr('from'), body.text);
    };
    const to = echoes ? `echo@${name}` : stream.jid;
    stream.send(tag('presence', { xmlns: CLIENT }));
    column.onsend = (text) => {
      column.line('out', '', text);
      stream.send(tag('message', { xmlns: CLIENT, type: 'chat', to }, tag('body', {}, escape(text))));
    };
  };
  add(column, { to: name, xmpp: true, begin });
}

/** A column of the event bus, whose messages are JSON (docs/bus.md). */
function addBus(name) {
  const column = new Column({ title: 'event bus', about: `everybody who has this page open`, fields: [] });
  const begin = async (channel) => {
    const tell = (message) => channel.send(tag('json', { xmlns: JSON_0 }, escape(JSON.stringify(message))));
    tell({ op: 'subscribe', topic: TOPIC, history: 5 });
    const subscribed = JSON.parse((await channel.next()).text);
    if (subscribed.type !== 'subscribed') throw new Error(subscribed.message);
    column.about(`subscribed to “${TOPIC}”, at ${subscribed.offset}`);
    channel.onelement = (element) => {
      const { type, offset, data } = JSON.parse(element.text);
      if (type === 'message') column.line('in', `message ${offset}`, String(data));
    };
    column.onsend = (text) => {
      column.line('out', '', text);
      tell({ op: 'publish', topic: TOPIC, data: text });
    };
  };
  add(column, { to: name, xmpp: false, begin });
}

$('all').addEventListener('click', () => columns.forEach(({ column }) => column.submit()));
$('end').addEventListener('click', () => session.end());
addEventListener('pagehide', ({ persisted }) => persisted || session?.leave());
setInterval(tally, 100);

const { domains, bus } = await (await fetch('/domains')).json();
domains.forEach(addServer);
addBus(bus);
