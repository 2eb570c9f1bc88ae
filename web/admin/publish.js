// Publishing, as a client of the bus.

import { $ } from './dom.js';

export function publishing(client) {
  $('publish').addEventListener('submit', async (event) => {
    event.preventDefault();
    const said = $('published');
    delete said.dataset.mood;
    said.textContent = 'Publishing…';
    try {
      const { offset } = await client.publish($('topic').value, valueOf($('data').value));
      said.dataset.mood = 'good';
      said.textContent = `Published as message ${offset} of ${$('topic').value}.`;
    } catch (error) {
      said.dataset.mood = 'bad';
      said.textContent = `Not published: ${error.message} (${error.code})`;
    }
  });
}

/** What somebody types is JSON, or else a text. */
function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
