import { el } from './dom.mjs';
import { SASL } from './namespaces.mjs';
import { Element } from './xml.mjs';

/** SASL messages are as good as the password, some of them. */
export function secret(element) {
  return element.ns === SASL && ['auth', 'response', 'challenge', 'success'].includes(element.name);
}

/** An element as it was written, but with a line for each child, and in colours. */
export function pretty(element) {
  const pre = el('pre', { class: 'xml', tabindex: 0 });
  write(pre, element, '');
  return pre;
}

function write(into, element, indent) {
  into.append(indent && `\n${indent}`, part('mark', '<'), part('name', element.qname));
  for (const [name, value] of Object.entries(element.attributes)) {
    into.append(' ', part('attribute', name), part('mark', '='), part('value', `"${value.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;')}"`));
  }
  if (!element.children.length) return into.append(part('mark', '/>'));
  into.append(part('mark', '>'));
  const mixed = element.children.some((child) => !(child instanceof Element) && child.trim());
  for (const child of element.children) {
    if (child instanceof Element) write(into, child, mixed ? '' : `${indent}  `);
    else if (secret(element)) into.append(part('secret', `${child.length} characters not shown`));
    else if (mixed) into.append(part('text', child.replace(/&/g, '&amp;').replace(/</g, '&lt;')));
  }
  into.append(mixed ? '' : `\n${indent}`, part('mark', '</'), part('name', element.qname), part('mark', '>'));
  return undefined;
}

function part(kind, text) {
  return el('span', { class: `x-${kind}` }, text);
}

/** One line about a stanza, for lists: of one that came in, who it is from. */
export function summary(element, direction = 'out') {
  const { name } = element;
  const type = element.attr('type');
  const [to, from] = [element.attr('to'), element.attr('from')];
  const peer = direction === 'in' ? from ?? to : to ?? from;
  const child = element.elements.find((inner) => inner.name !== 'body') ?? element.elements[0];
  if (name === 'message') return [type, peer, clip(element.child('body')?.text ?? child?.name)].filter(Boolean).join(' · ');
  if (name === 'presence') return [type ?? 'available', peer, element.child('status')?.text].filter(Boolean).join(' · ');
  if (name === 'iq') return [type, child?.name === 'query' ? child.ns : child?.name, peer].filter(Boolean).join(' · ');
  if (name === 'json') return clip(element.text);
  if (name === 'auth') return element.attr('mechanism');
  return element.elements.map((inner) => inner.name).slice(0, 6).join(', ');
}

function clip(text = '') {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
