import { CLIENT, DISCO_INFO, DISCO_ITEMS, PING, ROSTER } from './namespaces.mjs';
import { escape } from './xml.mjs';

/** Stanzas to begin with. They are for the domain and the user of the stream. */
export const templates = {
  Presence: () => `<presence xmlns='${CLIENT}'>\n  <show>chat</show>\n  <status>at the console</status>\n</presence>`,
  Message: ({ bare }) => `<message xmlns='${CLIENT}' type='chat' to='${escape(bare)}' id='${id()}'>\n  <body>Hello</body>\n</message>`,
  Ping: ({ domain }) => iq(domain, `<ping xmlns='${PING}'/>`),
  Disco: ({ domain }) => iq(domain, `<query xmlns='${DISCO_INFO}'/>`),
  Items: ({ domain }) => iq(domain, `<query xmlns='${DISCO_ITEMS}'/>`),
  Roster: () => iq(undefined, `<query xmlns='${ROSTER}'/>`),
};

function iq(to, payload) {
  return `<iq xmlns='${CLIENT}' type='get' id='${id()}'${to ? ` to='${escape(to)}'` : ''}>\n  ${payload}\n</iq>`;
}

function id() {
  return Math.random().toString(36).slice(2, 8);
}
