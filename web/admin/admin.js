// The page for who operates a server. It is a client of the event bus: with its key
// it reads the server's numbers there, and publishes; what it lists, it asks for.

import { connect } from '../mochi/mochi.min.js';
import { Calls } from './calls.js';
import { $ } from './dom.js';
import { Numbers } from './numbers.js';
import { publishing } from './publish.js';
import { Sessions } from './sessions.js';
import { Topics } from './topics.js';

const every = 2000;

$('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const key = $('key').value.trim();
  const calls = new Calls(key);
  say('wait', 'Signing in…');
  try {
    await calls.ask('slow');
  } catch (error) {
    say('bad', error.message);
    return;
  }
  $('key').value = '';
  $('sign-in').hidden = true;
  $('inside').hidden = false;
  begin(key, calls);
});

function begin(key, calls) {
  const client = connect({ token: key });
  client.on('state', ({ state, reason }) => {
    if (state === 'closed') say('bad', `Over: ${reason ?? 'closed'}. Load the page again to sign in.`);
    else say(state === 'open' ? 'good' : 'fair', state === 'open' ? 'Live' : 'Connecting…');
  });
  const numbers = new Numbers((node) => ($('node').textContent = node));
  client.subscribe('$admin/numbers', {
    message: ({ data }) => numbers.take(data),
    error: ({ code }) => say('bad', `No numbers: ${code}`),
  });
  publishing(client);
  const lists = [new Sessions(calls), new Topics(calls)];
  const refresh = async () => {
    if (!document.hidden) {
      const failed = (await Promise.allSettled(lists.map((list) => list.refresh()))).find(({ status }) => status === 'rejected');
      if (failed && client.state === 'open') say('fair', `Lists are old: ${failed.reason.message}`);
      else if (client.state === 'open') say('good', 'Live');
    }
    if (client.state !== 'closed') setTimeout(refresh, every);
  };
  refresh();
}

function say(mood, text) {
  $('state').dataset.mood = mood;
  $('state').textContent = text;
}
