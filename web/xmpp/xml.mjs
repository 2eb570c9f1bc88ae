// XML as XMPP uses it: elements, text and nothing else (RFC 6120 §11.1). What is read keeps the text that it was read
// from, so a page can show what came over the wire rather than what somebody made of it.

const PREDEFINED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const NAME = /[A-Za-z_:\u0080-\uffff][\w:.\-\u0080-\uffff]*/y;
const SPACE = /[ \t\r\n]*/y;
const MAX_DEPTH = 200;

/** Text for the inside of an element or of an attribute. */
export function escape(text) {
  return String(text).replace(/[&<>'"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/**
 * The text of an element. Attributes that are undefined are left out; children are XML, not text.
 *
 * @param {string} name
 * @param {Record<string, unknown>} attributes
 * @param {...string} children
 */
export function tag(name, attributes = {}, ...children) {
  const there = Object.entries(attributes).filter(([, value]) => value !== undefined);
  const head = name + there.map(([key, value]) => ` ${key}='${escape(value)}'`).join('');
  const inside = children.join('');
  return inside ? `<${head}>${inside}</${name}>` : `<${head}/>`;
}

export class XMLError extends Error {}

/** One element that was read. */
export class Element {
  /** Elements and strings. */
  children = [];

  constructor(qname, attributes, scope, parent) {
    const [prefix, local] = split(qname);
    /** As it was written, with its prefix. */
    this.qname = qname;
    this.name = local;
    this.attributes = attributes;
    this.parent = parent;
    this.scope = scope;
    this.ns = resolve(scope, prefix);
  }

  /** The attribute of this name, prefix and all, or undefined. */
  attr(name) {
    return Object.hasOwn(this.attributes, name) ? this.attributes[name] : undefined;
  }

  /** The attribute of a namespace, whatever its prefix. */
  attrNS(ns, name) {
    for (const [key, value] of Object.entries(this.attributes)) {
      const [prefix, local] = split(key);
      if (prefix && local === name && resolve(this.scope, prefix) === ns) return value;
    }
    return undefined;
  }

  get elements() {
    return this.children.filter((child) => child instanceof Element);
  }

  /** The first child of this name, in this namespace if one is given. */
  child(name, ns) {
    return this.elements.find((child) => child.name === name && (ns === undefined || child.ns === ns));
  }

  get text() {
    return this.children.map((child) => (child instanceof Element ? child.text : child)).join('');
  }

  is(name, ns) {
    return this.name === name && this.ns === ns;
  }
}

/**
 * Reads one element, which may stand alone or begin with an XML declaration.
 *
 * @param {string} text
 * @param {Record<string, string>} [scope] namespaces by prefix that are known already
 * @returns {Element}
 * @throws {XMLError}
 */
export function parse(text, scope = {}) {
  return new Reader(text, { xml: 'http://www.w3.org/XML/1998/namespace', ...scope }).read();
}

class Reader {
  #text;
  #at = 0;
  #scope;

  constructor(text, scope) {
    this.#text = text;
    this.#scope = scope;
  }

  read() {
    this.#match(SPACE);
    if (this.#text.startsWith('<?xml', this.#at)) this.#at = this.#find('?>') + 2;
    this.#match(SPACE);
    let root;
    let open;
    do {
      const mark = this.#text.indexOf('<', this.#at);
      if (mark < 0) this.#fail('an element does not end');
      if (open) this.#characters(open, this.#text.slice(this.#at, mark));
      else if (mark > this.#at) this.#fail('text outside of an element');
      this.#at = mark;
      if (this.#text.startsWith('<![CDATA[', mark)) {
        if (!open) this.#fail('text outside of an element');
        const end = this.#find(']]>');
        open.children.push(this.#text.slice(mark + 9, end));
        this.#at = end + 3;
      } else if (this.#text[mark + 1] === '/') {
        open = this.#end(open);
      } else {
        const element = this.#start(open);
        root ??= element;
        if (element.raw === undefined) open = element;
      }
    } while (open);
    this.#match(SPACE);
    if (this.#at < this.#text.length) this.#fail('something follows the element');
    return root;
  }

  #start(parent) {
    const from = this.#at++;
    const qname = this.#match(NAME) || this.#fail('neither an element nor its end');
    const attributes = {};
    for (;;) {
      const space = this.#match(SPACE);
      const c = this.#text[this.#at];
      if (c === '>' || c === '/') break;
      if (!space) this.#fail('no space before an attribute');
      const name = this.#match(NAME) || this.#fail('no name of an attribute');
      if (Object.hasOwn(attributes, name)) this.#fail(`${name} twice`);
      this.#match(SPACE);
      if (this.#text[this.#at++] !== '=') this.#fail('an attribute without a value');
      this.#match(SPACE);
      attributes[name] = this.#value();
    }
    const empty = this.#text[this.#at] === '/';
    this.#at += empty ? 2 : 1;
    if (this.#text[this.#at - 1] !== '>') this.#fail('a tag does not end');
    const element = new Element(qname, attributes, scoped(parent?.scope ?? this.#scope, attributes), parent);
    if (element.ns === undefined) this.#fail(`the prefix of ${qname} is not declared`);
    element.from = from;
    element.depth = (parent?.depth ?? 0) + 1;
    if (element.depth > MAX_DEPTH) this.#fail('elements too deep');
    parent?.children.push(element);
    if (empty) this.#close(element);
    return element;
  }

  #end(open) {
    this.#at += 2;
    const name = this.#match(NAME);
    this.#match(SPACE);
    if (!open || name !== open.qname || this.#text[this.#at++] !== '>') this.#fail(`</${name}> ends nothing`);
    return this.#close(open);
  }

  #close(element) {
    element.raw = this.#text.slice(element.from, this.#at);
    return element.parent;
  }

  #value() {
    const quote = this.#text[this.#at++];
    if (quote !== '"' && quote !== "'") this.#fail('a value without quotes');
    const end = this.#text.indexOf(quote, this.#at);
    const raw = this.#text.slice(this.#at, end);
    if (end < 0 || raw.includes('<')) this.#fail('a value does not end');
    this.#at = end + 1;
    return this.#decode(raw.replace(/\r\n?|[\t\n]/g, ' '));
  }

  #characters(element, raw) {
    if (raw) element.children.push(this.#decode(raw.replace(/\r\n?/g, '\n')));
  }

  #decode(raw) {
    return raw.replace(/&([^;]*);?/g, (all, name) => {
      if (all.endsWith(';')) {
        if (Object.hasOwn(PREDEFINED, name)) return PREDEFINED[name];
        const number = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
        const code = number && parseInt(number[1] ?? number[2], number[1] ? 16 : 10);
        if (code && code <= 0x10ffff) return String.fromCodePoint(code);
      }
      return this.#fail('an entity that XMPP does not have');
    });
  }

  #match(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #find(what) {
    const at = this.#text.indexOf(what, this.#at);
    return at < 0 ? this.#fail(`no ${what}`) : at;
  }

  #fail(what) {
    throw new XMLError(`not well-formed XML: ${what}, at ${this.#at}`);
  }
}

function split(qname) {
  const colon = qname.indexOf(':');
  return colon < 0 ? ['', qname] : [qname.slice(0, colon), qname.slice(colon + 1)];
}

function resolve(scope, prefix) {
  return Object.hasOwn(scope, prefix) ? scope[prefix] : prefix ? undefined : '';
}

function scoped(scope, attributes) {
  let own = scope;
  for (const [name, value] of Object.entries(attributes)) {
    if (name !== 'xmlns' && !name.startsWith('xmlns:')) continue;
    if (own === scope) own = { ...scope };
    own[name.slice(6)] = value;
  }
  return own;
}
