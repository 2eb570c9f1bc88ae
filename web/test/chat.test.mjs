// People on different carriers in one room of the demo.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from './browser.mjs';
import { Chat, carriers, wantMembers } from './chat.mjs';

const pairs = carriers.flatMap((one, i) => carriers.slice(i + 1).map((other) => [one, other]));

for (const [one, other] of pairs) {
  test(`${one} and ${other} hear each other once and in order`, async (t) => {
    const demo = await startServer(t);
    const chat = new Chat(t);
    await Promise.all([chat.join('Ann', demo.url, { carrier: one }), chat.join('Ben', demo.url, { carrier: other })]);
    const [ann, ben] = chat.people;

    await ann.say();
    await ben.wantAll([ann]);
    await ben.say();
    await ann.wantAll(chat.people);
    // And both at the same time, faster than people are.
    await Promise.all([chat.talk(5, [ann]), chat.talk(5, [ben])]);
    await chat.wantMessages();
    await chat.wantOneOrder();
  });
}

test('four carriers are one room, and who comes later gets its history', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  await chat.joinAll(demo.url);
  await chat.wantMembers();
  await chat.talk(3);
  await chat.wantMessages();
  await chat.wantOneOrder();

  const eve = await chat.join('Eve', demo.url);
  await eve.wantAll(chat.people);
  await eve.say();
  await chat.wantMessages();
  await chat.wantOneOrder();
});

test('who types is seen to, until they stop or send', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const [webSocket, ...others] = await chat.joinAll(demo.url);
  const wantTyping = (names, people) => Promise.all(people.map((person) => person.wantTyping(names)));

  for (const typist of [webSocket, others.at(-1)]) {
    const readers = chat.people.filter((person) => person !== typist);
    await typist.typeUntil(() => wantTyping(typist.name, readers));
    assert.equal(await typist.typing(), '', 'not to oneself');
    await typist.say();
    await wantTyping('', readers);
  }
  // Who deletes it, and who just stops: they are forgotten at once, and after a while.
  await webSocket.typeUntil(() => wantTyping('websocket', others));
  await webSocket.input.fill('');
  await wantTyping('', others);
  await webSocket.typeUntil(() => wantTyping('websocket', others));
  await wantTyping('', others);
  await chat.wantMessages();
});

test('a page goes from every carrier to every other while both sides write', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const ann = await chat.join('Ann', demo.url, { carrier: carriers[0] });
  const ben = await chat.join('Ben', demo.url, { carrier: 'websocket' });

  for (const carrier of everySwitch(carriers).slice(1)) {
    await chat.talk();
    await ann.choose(carrier);
    // The switch is under way.
    await chat.talk(2);
    await ann.wantConnected(carrier);
    await wantMembers(ben.page, { Ann: carrier, Ben: 'websocket' });
  }
  await chat.wantMessages();
  await chat.wantOneOrder();
});

test('of many switches in a moment the last one counts', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const ann = await chat.join('Ann', demo.url, { carrier: 'websocket' });
  const ben = await chat.join('Ben', demo.url, { carrier: 'sse' });

  for (const last of carriers) {
    for (const carrier of everySwitch(carriers)) await ann.choose(carrier);
    await chat.talk();
    await ann.choose(last);
    await chat.talk();
    await ann.wantConnected(last);
  }
  await chat.wantMessages();
  await chat.wantOneOrder();
  await wantMembers(ben.page, { Ann: 'bosh', Ben: 'sse' });
});

// A walk that takes each step from one to another just once, and ends where it
// began: from each there and back with all but the next, on to the next, and
// at last all the way back.
function everySwitch(names) {
  const out = names.flatMap((name, i) => [...names.slice(i + 2).flatMap((other) => [name, other]), name]);
  return [...out, ...names.slice(0, -1).reverse()];
}
