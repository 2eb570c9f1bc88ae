import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { Proxy } from './proxy.mjs';

// A server that sends back what it gets, and a proxy before it.
async function startEcho(t) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await Proxy.start(`http://127.0.0.1:${server.address().port}`);
  t.after(async () => {
    await proxy.cut();
    server.close();
  });
  return proxy;
}

async function open(proxy) {
  const socket = connect(proxy.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

async function wantEcho(socket, text) {
  socket.write(text);
  const [data] = await once(socket, 'data');
  assert.equal(String(data), text);
}

test('bytes pass both ways', async (t) => {
  const proxy = await startEcho(t);
  const socket = await open(proxy);
  await wantEcho(socket, 'hello');
  assert.equal(proxy.accepted, 1);
  socket.destroy();
});

test('a side that has ended still gets the rest', async (t) => {
  const proxy = await startEcho(t);
  const socket = await open(proxy);
  const sent = 'x'.repeat(1 << 20);
  socket.end(sent);
  let got = '';
  for await (const data of socket) got += data;
  assert.equal(got.length, sent.length);
});

test('a cut destroys connections and refuses new ones', async (t) => {
  const proxy = await startEcho(t);
  const socket = await open(proxy);
  await wantEcho(socket, 'hello');
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  await proxy.cut();
  await closed;
  await assert.rejects(open(proxy), { code: 'ECONNREFUSED' });
});

test('a healed proxy accepts on the same port', async (t) => {
  const proxy = await startEcho(t);
  const { port } = proxy;
  await proxy.cut();
  await proxy.heal();
  assert.equal(proxy.port, port);
  const socket = await open(proxy);
  await wantEcho(socket, 'again');
  socket.destroy();
});
