import { explain, labels, names, summary } from './explain.js';
import * as probes from './probes.js';

const $ = (id) => document.getElementById(id);
/** The address of push.v1, of which this page is a part. */
const base = new URL('..', new URL('.', location.href)).pathname.replace(/\/$/, '');

let running;

class Card {
  constructor(carrier) {
    this.carrier = carrier;
    this.element = document.createElement('article');
    this.element.dataset.carrier = carrier;
    const [head, name, label, bar, text] = ['header', 'h2', 'span', 'progress', 'p'].map((tag) => document.createElement(tag));
    name.textContent = names[carrier];
    label.className = 'label';
    head.append(name, label);
    this.element.append(head, bar, text);
    Object.assign(this, { label, bar, text });
    this.show('wait', 'looking…', 'Trying it.');
  }

  show(verdict, label, text) {
    this.element.dataset.verdict = verdict;
    this.label.textContent = label;
    this.text.textContent = text;
    this.bar.hidden = verdict !== 'wait';
  }

  progress(part) {
    this.bar.value = part;
    this.text.textContent = 'It works; now we see for how long.';
  }
}

async function run() {
  const mine = (running = {});
  const settings = { base, token: $('token').value.trim(), seconds: secondsWanted() };
  const cards = Object.keys(names).map((carrier) => new Card(carrier));
  $('cards').replaceChildren(...cards.map(({ element }) => element));
  say('wait', 'Looking…');
  const findings = {};
  await Promise.all(
    cards.map(async (card) => {
      const found = await probes[card.carrier](settings, (part) => card.progress(part));
      findings[card.carrier] = found;
      card.show(found.verdict, labels[found.verdict], explain(card.carrier, found, settings.seconds));
    }),
  );
  if (mine !== running) return;
  $('sign-in').hidden &&= !Object.values(findings).some(({ verdict }) => verdict === 'sign-in');
  const { mood, text } = summary(findings);
  say(mood, text);
}

function say(mood, text) {
  $('summary').dataset.mood = mood;
  $('summary').textContent = text;
}

/** ?seconds=5 is for who is in a hurry. */
function secondsWanted() {
  const wanted = Number(new URLSearchParams(location.search).get('seconds'));
  return wanted >= 1 && wanted <= 600 ? wanted : Number($('seconds').value);
}

$('again').addEventListener('submit', (event) => {
  event.preventDefault();
  run();
});
run();
