// Tabs of one browser share a connection; the built client, in Chromium.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, startServer } from './browser.mjs';
import { eventually } from './chat.mjs';
import { startSite } from './site.mjs';

const html = `<!doctype html><title>tab</title><script type="module">
  import { connect } from '/mochi/mochi.min.js';
  window.heard = [];
  window.states = [];
  window.client = connect({ tabs: 'test', resume: 'test' });
  client.on('state', ({ state }) => states.push(state));
  client.on('error', ({ code, message }) => console.log(code, message));
  client.subscribe('room', { message: ({ data }) => heard.push(data) });
</script>`;

const withoutLocks = () => Object.defineProperty(navigator, 'locks', { value: undefined });

// Opens pages in one profile of the browser, and counts their WebSockets.
async function openTabs(t, url, count, locks) {
  const first = await openPage(t);
  const context = first.context();
  const tabs = [first];
  tabs.sockets = 0;
  context.on('page', (page) => page.on('websocket', () => tabs.sockets++));
  first.on('websocket', () => tabs.sockets++);
  if (!locks) await context.addInitScript(withoutLocks);
  while (tabs.length < count) tabs.push(await context.newPage());
  await Promise.all(tabs.map((tab) => tab.goto(url)));
  await Promise.all(tabs.map(wantOpen));
  return tabs;
}

const wantOpen = (tab) => tab.waitForFunction(() => window.client?.state === 'open');
const publish = (tab, data) => tab.evaluate((data) => client.publish('room', data), data);
const leads = (tab) => tab.evaluate(() => client.leading);

async function leaderOf(tabs) {
  const leading = await Promise.all(tabs.map(leads));
  assert.equal(leading.filter(Boolean).length, 1);
  return tabs[leading.indexOf(true)];
}

async function wantHeard(tabs, wanted) {
  for (const tab of tabs) await eventually(async () => assert.deepEqual(await tab.evaluate(() => heard), wanted));
}

for (const locks of [true, false]) {
  const how = locks ? 'by locks' : 'without locks';

  test(`ten tabs use one connection, ${how}, and it outlives the tab that has it`, async (t) => {
    const demo = await startServer(t);
    const site = await startSite(t, demo.url, { '/tab': html });
    const tabs = await openTabs(t, `${site.url}/tab`, 10, locks);
    assert.equal(tabs.sockets, 1);

    const all = [];
    for (const [n, tab] of tabs.entries()) {
      await publish(tab, `first ${n}`);
      all.push(`first ${n}`);
    }
    await wantHeard(tabs, all);

    const leader = await leaderOf(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    // What is on its way while the tab goes gets there, once.
    const sent = Promise.all(others.map((tab, n) => publish(tab, `second ${n}`)));
    await leader.close({ runBeforeUnload: false });
    await sent;
    await eventually(async () => {
      for (const tab of others) {
        const heard = await tab.evaluate(() => heard);
        assert.deepEqual(heard.toSorted(), [...all, ...others.map((_, n) => `second ${n}`)].toSorted());
      }
    });
    await Promise.all(others.map(wantOpen));
    await leaderOf(others);
    assert.equal(tabs.sockets, 2);
  });
}

test('the tab that leads is loaded again, and all go on', async (t) => {
  const demo = await startServer(t);
  const site = await startSite(t, demo.url, { '/tab': html });
  const tabs = await openTabs(t, `${site.url}/tab`, 3, true);
  await publish(tabs[0], 'one');
  await wantHeard(tabs, ['one']);
  const leader = await leaderOf(tabs);
  await Promise.all([leader.reload(), ...tabs.filter((tab) => tab !== leader).map((tab, n) => publish(tab, `during ${n}`))]);
  await wantOpen(leader);
  await publish(leader, 'last');
  const all = ['during 0', 'during 1', 'last', 'one'];
  for (const tab of tabs) {
    await eventually(async () => {
      const heard = (await tab.evaluate(() => heard)).toSorted();
      // What the page had before it was loaded again does not come again.
      const wanted = tab === leader ? all.filter((data) => data === 'last' || heard.includes(data)) : all;
      assert.deepEqual(heard, wanted);
    });
  }
  await leaderOf(tabs);
});
