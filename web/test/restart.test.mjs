// The server of the demo ends and comes back, with an empty memory, while its
// pages stay.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from './browser.mjs';
import { Chat } from './chat.mjs';

// What a page would lose if it were loaded again.
const mark = (person) => person.page.evaluate(() => (window.loadedOnce = true));
const isMarked = (person) => person.page.evaluate(() => window.loadedOnce === true);

for (const [what, end] of [['killed', 'kill'], ['stopped', 'stop']]) {
  test(`pages go on when their server was ${what} and is back, whatever the carrier`, async (t) => {
    const demo = await startServer(t);
    const chat = new Chat(t);
    await chat.joinAll(demo.url);
    await Promise.all(chat.people.map(mark));
    await chat.talk(2);
    await chat.wantMessages();

    for (let round = 1; round <= 2; round++) {
      const onTheWay = `on the way for the ${round === 1 ? 'first' : 'second'} time`;
      await Promise.all(chat.people.map((person) => person.say(onTheWay)));
      const began = Date.now();
      await demo[end]();
      const took = Date.now() - began;
      assert.ok(took < 2000, `it ended in ${took} ms, with pages connected`);
      await Promise.all(chat.people.map((person) => person.wantState('reconnecting')));
      await chat.talk(2);
      await Promise.all(chat.people.map((person) => person.wantPending(2)));

      await demo.start();
      await Promise.all(chat.people.map((person) => person.wantConnected()));
      await chat.wantMessages();
      await chat.wantMembers();
      // What the server confirmed is gone with its memory where it had not
      // arrived yet; whoever wrote it has it, and nobody has it twice.
      for (const reader of chat.people) {
        for (const writer of chat.people) {
          const seen = (await reader.of(writer.name)).filter(({ text }) => text === onTheWay);
          assert.ok(seen.length <= 1, `${reader.name} sees ${JSON.stringify(seen)}`);
          if (reader === writer) assert.deepEqual(seen.map(({ state }) => state), ['sent']);
        }
      }
    }
    assert.ok((await Promise.all(chat.people.map(isMarked))).every(Boolean), 'no page was loaded again');
  });
}
