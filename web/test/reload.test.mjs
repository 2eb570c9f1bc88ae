// Pages of the demo are loaded again, and tabs are duplicated.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from './browser.mjs';
import { Chat, Person, carriers, eventually } from './chat.mjs';

// What the others are told of comings and goings, as it arrives on a WebSocket.
function watchMembers(page) {
  const events = [];
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      for (const { type, info } of JSON.parse(payload).messages ?? []) {
        if (type === 'join' || type === 'leave') events.push(`${type} ${info.name} ${info.carrier}`);
      }
    }),
  );
  return events;
}

for (const carrier of carriers) {
  test(`a reload on ${carrier} loses nothing, and the page knows who it is`, async (t) => {
    const demo = await startServer(t);
    const chat = new Chat(t);
    const ben = await chat.join('Ben', demo.url, { carrier: 'sse' });
    const events = watchMembers(ben.page);
    const ann = await chat.join('Ann', demo.url, { carrier });
    await ben.switchTo('websocket');
    await chat.wantMembers();
    await chat.talk(2);
    await chat.wantMessages();
    events.length = 0;

    for (let round = 1; round <= 2; round++) {
      // Ann's last words may be on their way yet.
      await chat.talk(2);
      await ann.say();
      await Promise.all([ann.page.reload(), chat.talk(3, [ben])]);
      await ann.wantConnected(carrier);
      assert.equal(await ann.page.getByTestId('my-name').innerText(), 'Ann');
      assert.equal(await ann.page.getByTestId('carrier-select').inputValue(), carrier);
      await chat.talk();
      await chat.wantMessages();
      await chat.wantMembers();
      const told = carrier === 'bosh' ? 'new session' : 'session resumed';
      await ann.page.getByTestId('wire-line').getByText(told).waitFor({ state: 'attached' });
    }
    await chat.wantOneOrder();
    // BOSH cannot take a session up again, so the others see Ann leave and come.
    assert.equal(events.includes(`leave Ann ${carrier}`), carrier === 'bosh', events.join());
  });
}

test('a reload while the network is cut brings what was written before', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  await chat.joinAll(demo.url);
  await chat.talk();
  for (const person of chat.people) {
    await person.cutNetwork();
    await chat.talk(2, [person]);
    await person.wantPending(2);
    await person.page.reload();
    await person.wantConnected();
  }
  await chat.wantMessages();
  await chat.wantMembers();
});

// Chromium does not load a module any more that it could not load once, under the same address.
test('what takes the session up does not load at first, and nothing is lost', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const ann = await chat.join('Ann', demo.url, { carrier: 'websocket' });
  const ben = await chat.join('Ben', demo.url, { carrier: 'websocket' });
  await chat.talk(2);
  await chat.wantMessages();

  const asked = [];
  await ann.page.route('**/reload.min.js*', (route) => {
    asked.push(route.request().url());
    return route.abort();
  });
  await ann.page.reload();
  await eventually(async () => assert.ok(asked.length > 3, `${asked}`));
  await chat.talk(2, [ben]);
  await ann.page.unroute('**/reload.min.js*');
  await ann.wantConnected();
  await ann.page.getByTestId('wire-line').getByText('session resumed').waitFor({ state: 'attached' });
  await chat.wantMessages();
  await chat.wantMembers();
});

// Chromium copies the session storage of a page to those that it opens, as it
// does when somebody duplicates a tab.
for (const [carrier, locks] of [...carriers.map((carrier) => [carrier, true]), ['websocket', false], ['longpoll', false]]) {
  test(`a duplicated tab on ${carrier}${locks ? '' : ', without locks,'} does not fight with the first one`, async (t) => {
    const demo = await startServer(t);
    const chat = new Chat(t);
    const ann = await chat.join('Ann', demo.url, { carrier });
    if (!locks) await withoutLocks(ann);
    await chat.join('Ben', demo.url, { carrier: 'websocket' });
    await chat.talk(2);
    await chat.wantMessages();

    const opened = ann.page.waitForEvent('popup');
    await ann.page.evaluate(() => void window.open(location.href));
    const twin = new Person('Ann', await opened);
    await twin.wantConnected(carrier);
    // The copy leaves the session to the first tab. It tells so a little after it is connected.
    await twin.page.getByTestId('wire-line').getByText('new session').waitFor({ state: 'attached' });
    const wires = await Promise.all([ann, twin].map(losses));

    // They are one person, who writes now here, now there; nobody promises an
    // order between the two, so this one reads before writing.
    for (let i = 0; i < 3; i++) {
      await chat.talk();
      await twin.wantAll(chat.people);
      await twin.say(`Ann ${++ann.written}`);
      await ann.wantAll(chat.people);
    }
    await chat.wantMessages();
    await twin.wantAll(chat.people);
    await chat.wantMembers();
    assert.deepEqual(await Promise.all([ann, twin].map(losses)), wires, 'neither was thrown out');

    // And each of them may be loaded again.
    for (const tab of [ann, twin]) {
      await tab.page.reload();
      await tab.wantConnected(carrier);
      await chat.talk();
      await eventually(() => Promise.all([...chat.people, twin].map((person) => person.wantAll(chat.people))));
    }
  });
}

// As on pages that came by http from elsewhere than this machine.
async function withoutLocks(person) {
  await person.page.context().addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
  await person.page.reload();
  await person.wantConnected();
}

// How often a page lost its connection so far, or got another session.
function losses(person) {
  return person.page.getByTestId('wire-line').filter({ hasText: /reconnecting|closed: |new session/ }).count();
}
