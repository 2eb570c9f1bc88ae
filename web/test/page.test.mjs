// The page of the demo as people find it: with a keyboard, on a telephone,
// while they look elsewhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, startServer } from './browser.mjs';
import { Chat, Person, carriers, eventually } from './chat.mjs';

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

// Moves the focus by a key until it is at an element.
async function moveTo(page, testid, key) {
  for (let i = 0; i < 40; i++) {
    if (await page.evaluate((id) => document.activeElement.matches(id), `[data-testid=${testid}]`)) return;
    await page.keyboard.press(key);
  }
  assert.fail(`${key} does not lead to ${testid}`);
}

async function wantTitle(page, title) {
  await eventually(async () => assert.equal(await page.title(), title));
}

const openRoom = (page) => page.getByTestId('room-title').innerText();

test('a keyboard is enough', async (t) => {
  const demo = await startServer(t);
  const page = await openPage(t, demo.url);
  const { keyboard } = page;
  await page.getByTestId('name-input').waitFor();
  await keyboard.type('Ann');
  await keyboard.press('Enter');
  const ann = new Person('Ann', page);
  await ann.wantConnected('websocket');

  await keyboard.type('one');
  await keyboard.press('Shift+Enter');
  await keyboard.type('two');
  await keyboard.press('Enter');
  await keyboard.press('Enter'); // nothing to send
  await keyboard.type('three');
  await keyboard.press('Enter');
  await eventually(async () => assert.deepEqual((await ann.messages()).map(({ text, state }) => [text, state]), [['one\ntwo', 'sent'], ['three', 'sent']]));

  // A letter chooses in a list of choices, as everywhere.
  for (const [key, carrier] of [['l', 'longpoll'], ['b', 'bosh'], ['s', 'sse'], ['w', 'websocket'], ['a', undefined]]) {
    await moveTo(page, 'carrier-select', 'Shift+Tab');
    await keyboard.press(key);
    await ann.wantConnected(carrier);
    await moveTo(page, 'message-input', 'Tab');
    await keyboard.type(`by ${key}`);
    await keyboard.press('Enter');
    await page.locator('[data-testid=message][data-state=sent]').getByText(`by ${key}`, { exact: true }).waitFor();
  }

  await moveTo(page, 'cut-button', 'Shift+Tab');
  await keyboard.press('Enter');
  await ann.wantState('reconnecting');
  await keyboard.press(' ');
  await ann.wantConnected();

  await moveTo(page, 'room-input', 'Shift+Tab');
  await keyboard.type('Green Tea');
  await keyboard.press('Enter');
  await eventually(async () => assert.equal(await openRoom(page), '#green-tea'));
  await keyboard.type('hello');
  await keyboard.press('Enter');
  await page.locator('[data-testid=message][data-state=sent]').getByText('hello').waitFor();
  assert.equal((await ann.messages()).length, 1);

  await moveTo(page, 'room', 'Shift+Tab'); // the last one
  assert.equal(await page.evaluate(() => document.activeElement.dataset.room), 'green-tea');
  for (let i = 0; i < 4; i++) await keyboard.press('Shift+Tab');
  await keyboard.press('Enter');
  await eventually(async () => assert.equal(await openRoom(page), '#lobby'));
  assert.equal((await ann.messages()).length, 7);
});

test('what is unread is counted, by room and in the title', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const [ann, ben] = await Promise.all([chat.join('Ann', demo.url), chat.join('Ben', demo.url, { carrier: 'longpoll' })]);
  const unread = (room) => ann.page.locator(`[data-testid=unread][data-room=${room}]`);
  const wantUnread = (room, count) => eventually(async () => assert.equal(await unread(room).getAttribute('data-count'), String(count)));
  await chat.talk();
  await chat.wantMessages();
  await wantTitle(ann.page, '#lobby · mochibosh');

  // In another room.
  await ann.page.locator('[data-testid=room][data-room=tea]').click();
  await wantTitle(ann.page, '#tea · mochibosh');
  await chat.talk(2, [ben]);
  await wantTitle(ann.page, '(2) #tea · mochibosh');
  await wantUnread('lobby', 2);
  await ann.page.locator('[data-testid=room][data-room=lobby]').click();
  await wantTitle(ann.page, '#lobby · mochibosh');
  await wantUnread('lobby', 0);
  assert.equal(await unread('lobby').isVisible(), false);

  // In a tab that nobody sees; this browser shows all of its tabs.
  const see = (visible) =>
    ann.page.evaluate((visible) => {
      Object.defineProperty(document, 'hidden', { value: !visible, configurable: true });
      Object.defineProperty(document, 'visibilityState', { value: visible ? 'visible' : 'hidden', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, visible);
  await see(false);
  await chat.talk(3, [ben]);
  await wantTitle(ann.page, '(3) #lobby · mochibosh');
  await see(true);
  await wantTitle(ann.page, '#lobby · mochibosh');
  await chat.wantMessages();

  // What was seen stays so over a reload, what was not is counted after it.
  await ann.page.locator('[data-testid=room][data-room=tea]').click();
  await chat.talk(2, [ben]);
  await wantUnread('lobby', 2);
  await ann.page.reload();
  await wantUnread('lobby', 2);
  await wantTitle(ann.page, '(2) #tea · mochibosh');
});

test('on a telephone all is there, and nothing is wider than the screen', async (t) => {
  const demo = await startServer(t);
  const chat = new Chat(t);
  const ann = await chat.join('Ann', demo.url, { profile: phone });
  const ben = await chat.join('Ben', demo.url);
  await ben.say(`https://example.test/${'long'.repeat(60)}`);
  await ben.say('w'.repeat(300));
  for (const width of [740, 320, 390]) {
    await ann.page.setViewportSize({ width, height: 700 });
    for (const carrier of carriers) {
      await ann.switchTo(carrier);
      await wantNoOverflow(ann.page);
      await ann.cutNetwork();
      await ann.wantState('reconnecting');
      await wantNoOverflow(ann.page);
      await ann.say();
      await ann.cutNetwork();
      await ann.wantConnected();
    }
  }
  await ben.wantAll([ann]);

  // The rooms and the people are behind buttons.
  await ann.page.getByRole('button', { name: 'Rooms' }).click();
  await ann.page.locator('[data-testid=room][data-room=tea]').click();
  await eventually(async () => assert.equal(await openRoom(ann.page), '#tea'));
  await ann.page.getByRole('button', { name: 'show who' }).click();
  await ann.page.getByTestId('member').getByText('Ann').waitFor();
  await wantNoOverflow(ann.page);
});

// Nothing is cut off or wider than the screen, and the controls of the
// connection stand side by side.
async function wantNoOverflow(page) {
  const { wide, row } = await page.evaluate(() => {
    const box = (element) => element.getBoundingClientRect();
    return {
      wide: document.scrollingElement.scrollWidth - innerWidth,
      row: [...document.querySelectorAll('#carrier-badge, #carrier-select, #cut')].map((element) => ({
        id: element.id,
        left: box(element).left,
        right: box(element).right,
        // What is inside may be wider than the element itself. What is one
        // pixel wide is only read out.
        content: Math.max(...[...element.querySelectorAll('span')].map(box).map(({ width, right }) => (width > 1 ? right : 0)), 0),
      })),
    };
  });
  const width = page.viewportSize().width;
  assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
  row.forEach(({ id, right, content }, i) => {
    assert.ok(content < right, `what is in #${id} ends at ${content}, and it ends at ${right}`);
    assert.ok(right < (row[i + 1]?.left ?? width), `#${id} ends at ${right}, on ${width} pixels: ${JSON.stringify(row)}`);
  });
}

test('the client comes compressed, and is not loaded again', async (t) => {
  const demo = await startServer(t);
  const page = await openPage(t, demo.url);
  const load = () =>
    page.evaluate(() => {
      const { encodedBodySize, decodedBodySize, transferSize } = performance.getEntriesByType('resource').find(({ name }) => name.endsWith('/mochi.min.js'));
      return { encodedBodySize, decodedBodySize, transferSize };
    });
  const first = await load();
  assert.ok(first.encodedBodySize <= 8192 && first.decodedBodySize > 2 * first.encodedBodySize, JSON.stringify(first));
  await page.reload();
  const again = await load();
  assert.ok(again.transferSize < 1000, JSON.stringify(again));
});
