// The <body/> of XEP-0124 with JSON payloads of XEP-0335.

const HTTPBIND = 'http://jabber.org/protocol/httpbind';
const JSON_0 = 'urn:xmpp:json:0';

/** @param {string[]} messages JSON texts */
export function wrap(attributes, messages = []) {
  const there = Object.entries(attributes).filter(([, value]) => value !== undefined);
  const head = there.map(([name, value]) => ` ${name}='${escape(String(value))}'`).join('');
  const payloads = messages.map((json) => `<json xmlns='${JSON_0}'>${escape(representable(json))}</json>`);
  return `<body${head} xmlns='${HTTPBIND}'>${payloads.join('')}</body>`;
}

/** The attributes that matter, and the values of the JSON payloads; undefined if it is not a body of ours. */
export function unwrap(DOMParser, text) {
  const root = new DOMParser().parseFromString(text, 'text/xml').documentElement;
  if (root?.localName !== 'body' || root.namespaceURI !== HTTPBIND) return undefined;
  const answer = { messages: [] };
  for (const name of ['sid', 'wait', 'requests', 'polling', 'ver', 'type', 'condition']) {
    answer[name] = root.getAttribute(name) ?? undefined;
  }
  for (const node of root.childNodes) {
    if (node.localName === 'json' && node.namespaceURI === JSON_0) add(answer.messages, node.textContent);
  }
  return answer;
}

function add(messages, json) {
  try {
    messages.push(JSON.parse(json));
  } catch {
    // Not for us to mend; what follows is still good.
  }
}

/**
 * JSON escapes control characters and lone surrogates by itself. These two XML cannot carry either; in JSON they
 * stand only in strings.
 */
function representable(json) {
  return json.replace(/[\uFFFE\uFFFF]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

function escape(text) {
  return text.replace(/[&<>'"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
