import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { standalone, StreamEnd } from '../../xmpp/channel.mjs';
import { parseJID } from '../../xmpp/jid.mjs';
import { AuthenticationError, base64, mechanism, unbase64 } from '../../xmpp/sasl.mjs';
import { escape, parse, tag } from '../../xmpp/xml.mjs';

const utf8 = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);

test('an element is read with its namespaces, its text and the bytes that it was', () => {
  const raw = "<p:x xmlns:p='one' a='1 &amp; &#x1F600;'>t<y xmlns='two'/><![CDATA[<&]]></p:x>";
  const x = parse(`<?xml version='1.0'?><body xmlns='zero'>${raw}</body>`).child('x', 'one');
  assert.equal(x.attr('a'), '1 & 😀');
  assert.equal(x.text, 't<&');
  assert.equal(x.raw, raw);
  assert.ok(x.child('y', 'two'));
  assert.equal(parse("<a xmlns:q='urn:q' q:b='1'/>").attrNS('urn:q', 'b'), '1');
});

for (const [what, bad] of Object.entries({
  'an element without end': '<a>',
  'the wrong end': '<a></b>',
  'a value without quotes': '<a b=1/>',
  'an attribute twice': "<a b='1' b='2'/>",
  'an unknown entity': '<a>&foo;</a>',
  'a lone ampersand': '<a>&</a>',
  'a document type': '<!DOCTYPE a><a/>',
  'a comment': '<a><!-- --></a>',
  'two elements': '<a/><b/>',
  'text around it': 'x<a/>',
  'a prefix that is not declared': '<p:a/>',
  'a thousand levels': '<a>'.repeat(1000) + '</a>'.repeat(1000),
})) {
  test(`${what} is not XML as XMPP has it`, () => assert.throws(() => parse(bad), /not well-formed/));
}

test('whatever is written is read again', () => {
  const nasty = `<&>"' \u{1F600}\n\t`;
  const x = parse(tag('x', { a: nasty.replace(/[\n\t]/g, ' '), none: undefined }, escape(nasty)));
  assert.equal(x.attr('a'), nasty.replace(/[\n\t]/g, ' '));
  assert.equal(x.text, nasty);
  assert.equal(x.attr('none'), undefined);
});

test('a stanza without namespace gets that of clients, and nothing else changes', () => {
  assert.equal(standalone(" <message to='a'><body/></message>\n"), "<message xmlns='jabber:client' to='a'><body/></message>");
  assert.equal(standalone("<a xmlns='b'/>"), "<a xmlns='b'/>");
  assert.throws(() => standalone('<message>'), /not well-formed/);
});

test('a JID has three parts, two of them optional', () => {
  assert.deepEqual(parseJID(' ann@Im.Example/a/b@c '), { local: 'ann', domain: 'im.example', resource: 'a/b@c', bare: 'ann@im.example' });
  assert.equal(parseJID('im.example').local, '');
  for (const bad of ['', '@a', 'a@b@c', 'a b@c', "a'@b", 'a@']) assert.equal(parseJID(bad), undefined, bad);
});

for (const [rfc, name, nonce, challenge, final, success] of [
  ['RFC 5802 §5', 'SCRAM-SHA-1', 'fyko+d2lbbFgONRv9qkxdawL', 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=', 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ='],
  ['RFC 7677 §3', 'SCRAM-SHA-256', 'rOprNGfwEbeRWgbNEkqO', 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='],
]) {
  const scram = () => mechanism([name], { username: 'user', password: 'pencil', nonce }, webcrypto);

  test(`${name} says what ${rfc} says`, async () => {
    const sasl = scram();
    assert.equal(text(await sasl.initial()), `n,,n=user,r=${nonce}`);
    assert.equal(text(await sasl.respond(utf8(challenge))), final);
    await sasl.verify(utf8(success));
  });

  test(`${name} does not trust a server that has not the password`, async () => {
    const sasl = scram();
    await sasl.initial();
    await sasl.respond(utf8(challenge));
    for (const bad of ['', 'v=AAAA', 'e=other-error']) await assert.rejects(async () => sasl.verify(utf8(bad)), AuthenticationError);
  });

  test(`${name} does not answer a challenge that makes no sense`, async () => {
    for (const bad of ['', 'r=other,s=QSXC,i=4096', `r=${nonce},s=QSXC,i=4096`, `r=${nonce}x,s=QSXC,i=0`, `r=${nonce}x,s=QSXC,i=99999999`, `m=x,r=${nonce}x,s=QSXC,i=1`]) {
      const sasl = scram();
      await sasl.initial();
      await assert.rejects(sasl.respond(utf8(bad)), AuthenticationError, bad);
    }
  });
}

test('the best mechanism is taken; without WebCrypto that is PLAIN', async () => {
  const credentials = { username: 'ann', password: 'geheim' };
  const name = (offered, crypto = webcrypto) => mechanism(offered, credentials, crypto).name;
  assert.equal(name(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256']), 'SCRAM-SHA-256');
  assert.equal(name(['PLAIN', 'SCRAM-SHA-1']), 'SCRAM-SHA-1');
  const without = { getRandomValues: (array) => array };
  assert.equal(name(['PLAIN', 'SCRAM-SHA-1'], without), 'PLAIN');
  assert.equal(text(await mechanism(['PLAIN'], credentials, without).initial()), '\0ann\0geheim');
  assert.throws(() => name(['SCRAM-SHA-1'], without), /WebCrypto/);
  assert.throws(() => name(['EXTERNAL']), /EXTERNAL/);
});

test('base64 is checked', () => {
  assert.deepEqual(unbase64(` ${base64(utf8('ü'))}\n`), utf8('ü'));
  assert.throws(() => unbase64('???'), AuthenticationError);
});

test('an end tells its condition, and the words of the other side', () => {
  assert.equal(new StreamEnd('conflict', 'replaced').message, 'conflict: replaced');
});
