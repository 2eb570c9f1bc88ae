// The network between the pages of the demo and its server breaks, and heals.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProxy, startServer } from './browser.mjs';
import { Chat, carriers } from './chat.mjs';
import { MuteProxy } from './mute.mjs';

test('a cut network loses nothing, whatever the carrier', async (t) => {
  const demo = await startServer(t);
  const proxy = await startProxy(t, demo.url);
  const chat = new Chat(t);
  const behind = await chat.joinAll(proxy.url);
  const eve = await chat.join('Eve', demo.url, { carrier: 'websocket' });
  await chat.talk();

  for (let round = 1; round <= 2; round++) {
    // What is on its way is cut off, too.
    await Promise.all(chat.people.map((person) => person.say()));
    await proxy.cut();
    await chat.talk(2);
    await Promise.all(behind.map((person) => person.wantState('reconnecting')));
    await Promise.all(behind.map((person) => person.wantPending(2)));
    await eve.wantAll([eve]);

    await proxy.heal();
    await Promise.all(chat.people.map((person) => person.wantConnected()));
    await chat.wantMessages();
  }
  await chat.wantMembers();
});

test('the button cuts the network of one page, and restores it', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const everybody = await chat.joinAll(demo.url);
  const eve = await chat.join('Eve', demo.url, { carrier: 'sse' });
  await chat.talk();

  for (let round = 1; round <= 2; round++) {
    await Promise.all(
      everybody.map(async (person) => {
        await person.say();
        await person.cutNetwork();
        await person.wantState('reconnecting');
        await person.wantNotice(/^The network is cut\./);
        await person.say();
        await person.say();
        await person.wantPending(2);
      }),
    );
    await chat.talk(2, [eve]);
    await eve.wantAll([eve]);
    await Promise.all(
      everybody.map(async (person) => {
        await person.cutNetwork();
        await person.wantConnected();
        await person.wantNotice(undefined);
      }),
    );
    await chat.wantMessages();
  }
  await chat.wantMembers();
});

test('a carrier may be chosen while the network is cut', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const ann = await chat.join('Ann', demo.url, { carrier: 'bosh' });
  await chat.join('Ben', demo.url, { carrier: 'longpoll' });

  for (const carrier of [...carriers, 'sse', 'bosh', 'longpoll', 'websocket']) {
    await chat.talk();
    await ann.cutNetwork();
    await chat.talk();
    await ann.choose(carrier);
    await chat.talk();
    await ann.cutNetwork();
    await ann.wantConnected();
  }
  await chat.wantMessages();
  await chat.wantMembers();
});

// One such proxy passes on all that ends, as the ticket of a stream does.
const isStream = ({ method, url }) => method === 'GET' && url.startsWith('/push/sse');
const isOfStreams = ({ url }) => url.startsWith('/push/sse');

test('behind a proxy that is mute for WebSockets and streams, the page comes to long-poll by itself', async (t) => {
  const demo = await startServer(t);
  const proxies = await Promise.all([isStream, isOfStreams].map((isMute) => MuteProxy.start(demo.url, isMute)));
  t.after(() => proxies.forEach((proxy) => proxy.close()));
  const chat = new Chat(t);
  const urls = { Ann: proxies[0].url, Ben: proxies[1].url, Cleo: demo.url };
  const [ann] = await Promise.all(Object.entries(urls).map(([name, url]) => chat.join(name, url)));
  await chat.wantMembers({ Ann: 'longpoll', Ben: 'longpoll', Cleo: 'websocket' });
  for (const { muted } of proxies) assert.ok(muted >= 2, `${muted} answers kept`);
  await chat.talk(3);
  await chat.wantMessages();

  // Who insists is told, and stays where they are.
  await ann.choose('websocket');
  await chat.talk();
  await ann.page.getByTestId('toast').getByText(/^WebSocket does not work now/).waitFor();
  assert.equal(await ann.page.getByTestId('carrier-select').inputValue(), 'auto');
  await ann.wantConnected('longpoll');
  await chat.wantMessages();
});
