import { connect } from '/mochi/mochi.min.js';
import { CarrierControl, carrierName } from './carrier.js';
import { Composer } from './composer.js';
import { Network } from './cut.js';
import { $, drawIcons, icon } from './dom.js';
import { drawers } from './drawers.js';
import { welcome } from './empty.js';
import { Members } from './members.js';
import { MessageList } from './messages.js';
import { Notifier, token } from './notify.js';
import { Profile, unique } from './profile.js';
import { Rooms } from './rooms.js';
import { copy } from './share.js';
import { toast } from './toast.js';
import { Typing } from './typing.js';
import { Wire } from './wire.js';

/** How many messages of the past a room shows to who comes in. */
const HISTORY = 50;

drawIcons();
drawers();
const wire = new Wire();
const network = new Network({ watch: (kind, text) => wire.note(kind, text) });
const notifier = new Notifier(toast);
const me = new Profile(named);
const members = new Members(me);
const list = new MessageList(me, retry);
const control = new CarrierControl(toast);
const typing = new Typing(sayNow);
const composer = new Composer({ send, typed: (text) => typing.typed(text) });
const rooms = new Rooms({ added: listen, removed: unlisten, opened });
const subscriptions = new Map();
let client;
/** The state that the client had before the present one, and the room that is on the page. */
let stateBefore;
let shown;

$('share').addEventListener('click', copy);
$('cut').addEventListener('click', () => (network.down ? restore() : cut()));
document.addEventListener('visibilitychange', looked);
addEventListener('pagehide', disappear);
addEventListener('pageshow', reappear);
// The last thing: who has a name already is connected at once.
me.start();

/** We have a name: come in, or let the others know of the new one. */
function named() {
  members.refresh();
  if (client) return appear();
  client = connect({
    longpoll: '/push',
    sse: '/push/sse',
    websocket: '/push/ws',
    bosh: '/http-bind',
    carrier: control.wanted,
    to: '',
    resume: 'demo',
    token,
    fetch: network.fetch,
    WebSocket: network.WebSocket,
    EventSource: network.EventSource,
  });
  client.on('state', stateChanged);
  client.on('session', (session) => wire.note('good', session?.resumed ? 'session resumed' : 'new session'));
  client.on('error', (error) => wire.note('trouble', error?.message ?? String(error)));
  control.attach(client);
  rooms.start();
  // While the dialog is open nothing behind it takes the focus.
  if ($('hello').open) $('hello').addEventListener('close', () => composer.focus(), { once: true });
}

// ---- connection

function stateChanged({ state, carrier, reason }) {
  const why = reason ? `: ${reason.message ?? reason}` : '';
  wire.note(state === 'open' ? 'good' : 'wait', `${state}${carrier ? ` on ${carrierName(carrier)}` : ''}${why}`);
  control.show({ state, carrier });
  if (state === 'open' && stateBefore !== 'open') typing.reset();
  stateBefore = state;
  showNotice();
  if (state === 'open' && carrier !== me.carrier) {
    me.carrier = carrier;
    members.refresh();
    appear();
  }
}

function cut() {
  network.cut();
  wire.note('trouble', 'you cut the network');
  showNotice();
}

function restore() {
  network.restore();
  wire.note('good', 'you restored the network');
  // Browsers say so when a real network comes back, and the client then does not wait any longer.
  dispatchEvent(new Event('online'));
  showNotice();
}

function showNotice() {
  const { down } = network;
  $('cut').setAttribute('aria-pressed', down);
  $('cut-label').hidden = down;
  $('restore-label').hidden = !down;
  $('cut').querySelector('.drawing').replaceWith(icon(down ? 'heal' : 'cut'));
  document.body.classList.toggle('cut-off', down);
  const text = down
    ? 'The network is cut. Write on: your messages wait here and go, in order, when you restore it.'
    : { reconnecting: 'The connection is lost. Trying again; what you write will wait.', closed: 'The connection is closed. Reload the page to come back.' }[client?.state];
  $('notice').textContent = text ?? '';
  $('notice').hidden = !text;
}

// ---- rooms

function listen(room) {
  const subscription = client.subscribe(room.topic, {
    history: HISTORY,
    subscribed(position) {
      const notice = room.subscribed(position);
      if (notice && room === rooms.open) list.put(notice);
    },
    message: ({ offset, data }) => received(room, offset, data),
  });
  subscriptions.set(room.topic, subscription);
  // Before the server names the members: it still counts who left a moment ago.
  const left = ({ data }) => data?.visit && members.left(data.visit);
  subscriptions.set(room.gone, client.subscribe(room.gone, { history: HISTORY, message: left }));
  subscriptions.set(room.away, client.subscribe(room.away));
  notifier.follow(room.away);
  listenNow(room, false);
}

/** The topic of what is true only now. Whoever has the room open is seen there by the others. */
function listenNow(room, open) {
  const mine = () => open && rooms.open === room;
  // Subscribing again replaces: the others see who we are now, and not that we left.
  const subscription = client.subscribe(room.now, {
    presence: open ? me.presence : undefined,
    subscribed(position) {
      // The server answers in order: all history of the room came before this.
      room.live = true;
      if (mine()) members.set(position.members);
      if (room === rooms.open) seeIfVisible();
    },
    message: ({ data }) => mine() && data?.by !== me.by && typing.heard(data ?? {}),
    join: (member) => mine() && members.join(member),
    leave: (member) => mine() && members.leave(member),
  });
  subscriptions.set(room.now, subscription);
}

function unlisten(room) {
  notifier.unfollow(room.away);
  for (const topic of [room.topic, room.gone, room.away, room.now]) {
    subscriptions.get(topic)?.unsubscribe();
    subscriptions.delete(topic);
  }
}

function opened(room) {
  typing.stopped();
  if (shown && subscriptions.has(shown.now)) listenNow(shown, false);
  shown = room;
  $('room-title').textContent = `#${room.name}`;
  $('room-about').textContent = rooms.about(room);
  welcome(room, rooms.about(room), () => send(`Hello #${room.name} 👋`));
  members.set();
  typing.reset();
  list.show(room);
  composer.show(room);
  composer.focus();
  listenNow(room, true);
  seeIfVisible();
}

/** Lets the others in the room see who we are, and over what. */
function appear() {
  if (rooms.open) listenNow(rooms.open, true);
}

/** The session outlives the page for a while, in case that it is only loaded again. So the page says that it goes. */
function disappear() {
  if (!shown || network.down) return;
  navigator.sendBeacon('/api/publish', JSON.stringify({ topic: shown.gone, data: { visit: me.visit } }));
}

/** The page was kept, and is shown again. */
function reappear({ persisted }) {
  if (!persisted) return;
  me.visit = unique();
  appear();
}

// ---- messages

function received(room, offset, data) {
  const message = room.receive(offset, data);
  if (!message) return;
  const isNews = message.by !== me.by && room.isNews(message);
  const open = room === rooms.open;
  if (open) {
    typing.forget(message.by);
    list.put(message, { fresh: isNews });
  }
  if (open && !document.hidden) {
    if (isNews) announce(message);
    if (room.live) rooms.see();
  } else if (isNews) {
    if (open && room.unread === 0) list.markFrom(message);
    room.unread++;
    notifier.show(room, message, () => (location.hash = encodeURIComponent(room.name)));
  }
  counted();
}

function send(text) {
  const { by, name, carrier } = me;
  const room = rooms.open;
  list.clearMark();
  const message = room.write({ id: unique(), by, name, text, at: Date.now(), carrier });
  list.put(message);
  typing.stopped({ sent: true });
  publish(room, message);
}

async function publish(room, message) {
  try {
    const { offset } = await client.publish(room.topic, message.data);
    room.settle(message, offset);
  } catch (error) {
    room.fail(message, error.message);
  }
  if (room === rooms.open) list.put(message);
}

function retry(message) {
  const room = rooms.open;
  list.put(room.again(message));
  publish(room, message);
}

/** Publishes what is of no use later: it is not kept until there is a connection. */
function sayNow(what) {
  if (!shown || client.state !== 'open' || network.down) return;
  const { by, name } = me;
  client.publish(shown.now, { by, name, ...what }).catch(() => {});
}

function announce({ name, text }) {
  const line = document.createElement('p');
  line.textContent = `${name}: ${text}`;
  $('news').append(line);
  if ($('news').children.length > 5) $('news').firstElementChild.remove();
}

// ---- what is seen

function looked() {
  if (document.hidden || !client) return;
  seeIfVisible();
}

function seeIfVisible() {
  if (!document.hidden && rooms.open?.live) rooms.see();
  counted();
}

function counted() {
  rooms.draw();
  if (rooms.open) notifier.title(rooms.open, rooms.unread);
}
