// The chat of the demo, driven as people do: they come in, choose a carrier,
// write, and look at what they see. Everybody counts what they write ("Ann 1",
// "Ann 2", …), so that a page shows by itself whether anything was lost, came
// twice, or changed its order.
//
//	const chat = new Chat(t);
//	const ann = await chat.join('Ann', demo.url, { carrier: 'sse' });
//	await ann.say();
//	await chat.wantMessages();

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { openPage } from './browser.mjs';

export const carriers = ['websocket', 'sse', 'longpoll', 'bosh'];

const patience = 20_000;
const between = 25;

// Repeats a check until it does not throw any more, or throws its last error.
export async function eventually(check, ms = patience) {
  const deadline = Date.now() + ms;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await delay(between);
  }
}

export class Chat {
  people = [];
  #t;

  constructor(t) {
    this.#t = t;
  }

  // Opens the demo in a browser profile of its own, gives a name, and chooses
  // a carrier once inside. `profile` goes to Playwright's newContext.
  async join(name, url, { carrier, profile } = {}) {
    const page = await openPage(this.#t, url, profile);
    const person = this.add(new Person(name, page));
    await page.getByTestId('name-input').fill(name);
    await page.keyboard.press('Enter');
    if (carrier) await person.switchTo(carrier);
    await person.wantConnected(carrier);
    return person;
  }

  // One person on each carrier, called like it.
  joinAll(url) {
    return Promise.all(carriers.map((carrier) => this.join(carrier, url, { carrier })));
  }

  add(person) {
    this.people.push(person);
    return person;
  }

  // Everybody writes, some times, by turns.
  async talk(rounds = 1, people = this.people) {
    for (let i = 0; i < rounds; i++) for (const person of people) await person.say();
  }

  // Waits until each page shows what each person wrote, once and in order. A
  // message that came twice could come later than that: so all write once
  // more, and look again.
  async wantMessages() {
    await Promise.all(this.people.map((person) => person.wantAll(this.people)));
    await this.talk();
    await Promise.all(this.people.map((person) => person.wantAll(this.people)));
  }

  // Waits until all pages show these people on these carriers, and nobody else.
  async wantMembers(wanted = Object.fromEntries(this.people.map(({ name, carrier }) => [name, carrier]))) {
    for (const { page } of this.people) await wantMembers(page, wanted);
  }

  // All pages agree on the order of all messages, whoever wrote them.
  async wantOneOrder() {
    const orders = await Promise.all(this.people.map((person) => person.messages()));
    const texts = orders.map((messages) => messages.map(({ text }) => text));
    for (const text of texts) assert.deepEqual(text, texts[0]);
  }
}

export class Person {
  // How many messages this person wrote.
  written = 0;

  // The carrier that was chosen last.
  carrier;

  constructor(name, page) {
    Object.assign(this, { name, page });
    this.badge = page.getByTestId('carrier-badge');
    this.input = page.getByTestId('message-input');
  }

  async say(text = `${this.name} ${++this.written}`) {
    await this.input.fill(text);
    await this.input.press('Enter');
  }

  // Chooses a carrier, and does not wait until it is there.
  async choose(carrier) {
    this.carrier = carrier;
    await this.page.getByTestId('carrier-select').selectOption(carrier);
  }

  async switchTo(carrier) {
    await this.choose(carrier);
    await this.wantConnected(carrier);
  }

  async wantConnected(carrier = this.carrier) {
    await this.#shows(carrier ? `[data-state=open][data-carrier=${carrier}]` : '[data-state=open]');
  }

  async wantState(state) {
    await this.#shows(`[data-state=${state}]`);
  }

  async #shows(attributes) {
    try {
      await this.page.locator(`[data-testid=carrier-badge]${attributes}`).waitFor({ timeout: patience });
    } catch (cause) {
      throw new Error(await this.#report(`the badge never had ${attributes}`), { cause });
    }
  }

  async cutNetwork() {
    await this.page.getByTestId('cut-button').click();
  }

  // What the page shows, from the top: [{text, author, state, offset}].
  messages() {
    return this.page.getByTestId('message').evaluateAll((rows) =>
      rows.map((row) => {
        const { author, state, offset } = row.dataset;
        return { text: row.querySelector('.text').textContent, author, state, offset: Number(offset) };
      }),
    );
  }

  // What the page shows of one author.
  async of(author) {
    return (await this.messages()).filter((message) => message.author === author);
  }

  // Waits until this page shows all numbered messages of these people, sent,
  // once, and in order.
  async wantAll(people) {
    const wanted = Object.fromEntries(people.map(({ name, written }) => [name, numbered(name, 1, written)]));
    try {
      await eventually(async () => {
        const messages = (await this.messages()).filter(({ author, text }) => author in wanted && /\d$/.test(text));
        const seen = Object.fromEntries(people.map(({ name }) => [name, []]));
        for (const { text, author } of messages) seen[author].push(text);
        assert.deepEqual(seen, wanted);
        assert.deepEqual(messages.filter(({ state }) => state !== 'sent'), []);
      });
    } catch (error) {
      assert.fail(await this.#report(error.message));
    }
  }

  // Waits until the last n messages of this person wait to be sent.
  async wantPending(n) {
    await eventually(async () => {
      const mine = (await this.of(this.name)).slice(-n);
      assert.deepEqual(mine.map(({ text }) => text), numbered(this.name, this.written - n + 1, this.written));
      assert.deepEqual(mine.map(({ state }) => state), mine.map(() => 'pending'));
    });
  }

  // Waits until the notice above the field says something, or nothing.
  async wantNotice(pattern) {
    await eventually(async () => {
      const notice = this.page.getByTestId('notice');
      if (pattern) assert.match(await notice.innerText(), pattern);
      else assert.equal(await notice.isVisible(), false);
    });
  }

  // Who types, as this page says it.
  typing() {
    return this.page.getByTestId('typing').getAttribute('data-names');
  }

  async wantTyping(names) {
    await eventually(async () => assert.equal(await this.typing(), names));
  }

  // Types one letter after the other until somebody has seen it: pages that
  // just came in do not show who types for a moment.
  async typeUntil(seen) {
    let done = false;
    const over = seen().finally(() => (done = true));
    while (!done) await this.input.pressSequentially('x', { delay: 50 });
    await over;
  }

  // Puts in front of what went wrong whose page it was, and what happened on
  // its wire: a state of the page alone rarely says why.
  async #report(message) {
    const lines = await this.page.getByTestId('wire-line').allTextContents().catch(() => ['(the page is closed)']);
    return `on the page of ${this.name}: ${message}\n\nits wire:\n${lines.slice(-25).join('\n')}\n`;
  }
}

// "Ann 3", "Ann 4", "Ann 5"
export function numbered(name, from, to) {
  return Array.from({ length: to - from + 1 }, (_, i) => `${name} ${from + i}`);
}

// Waits until a page shows these people: {name: carrier}.
export async function wantMembers(page, wanted) {
  await eventually(async () => {
    const members = await page.getByTestId('member').evaluateAll((rows) => rows.map(({ dataset }) => [dataset.name, dataset.carrier]));
    assert.deepEqual(members.sort(), Object.entries(wanted).sort());
  });
}
