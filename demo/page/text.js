import { el } from './dom.js';

const ADDRESS = /\bhttps?:\/\/[^\s<>"']+/g;
/** What ends a sentence is rarely meant to be part of an address. */
const TRAILING = /[.,:;!?…]+$/;

/** What somebody wrote, as nodes: text, and links where there are addresses. */
export function rich(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trim(found);
    if (!URL.canParse(address)) continue;
    nodes.push(text.slice(end, index), link(address));
    end = index + address.length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== '');
}

function link(address) {
  return el('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow' }, address);
}

/** Without the full stop, and without a bracket that was opened before the address. */
function trim(found) {
  let address = found.replace(TRAILING, '');
  while (/[)\]}]$/.test(address) && !balanced(address)) address = address.slice(0, -1).replace(TRAILING, '');
  return address;
}

function balanced(address) {
  const count = (c) => address.split(c).length;
  return count('(') === count(')') && count('[') === count(']') && count('{') === count('}');
}

const PICTURES = /^(?:(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2})[\p{Emoji_Modifier}\u200d\ufe0f\s]*){1,5}$/u;

/** One to five emoji and nothing else: they are shown large. */
export const isPictures = (text) => PICTURES.test(text);

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export const time = (at) => clock.format(at);

export const timeElement = (at) => el('time', { datetime: new Date(at).toISOString(), title: full.format(at) }, time(at));

export function dayName(at, now = Date.now()) {
  const name = day.format(at);
  if (name === day.format(now)) return 'Today';
  return name === day.format(now - 86_400_000) ? 'Yesterday' : name;
}

/** "Ann", "Ann and Bob", "Ann, Bob and 3 others" */
export function names(list) {
  if (list.length <= 1) return list.join('');
  if (list.length === 2) return list.join(' and ');
  if (list.length === 3) return `${list[0]}, ${list[1]} and ${list[2]}`;
  return `${list[0]}, ${list[1]} and ${list.length - 2} others`;
}
