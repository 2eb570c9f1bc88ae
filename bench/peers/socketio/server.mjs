// A Socket.IO server for benchmarks: a client says in its auth which room it
// wants, and POST /pub publishes. The argument is the interval of pings in ms.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const pingInterval = Number(process.argv[2] ?? 30_000);

const http = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (request.method !== 'POST' || url.pathname !== '/pub') {
    response.writeHead(404).end();
    return;
  }
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (part) => (text += part));
  request.on('end', () => {
    io.to(url.searchParams.get('id')).emit('m', text);
    response.writeHead(204).end();
  });
});

const io = new Server(http, { pingInterval, serveClient: false, httpCompression: false, perMessageDeflate: false });
io.on('connection', (socket) => socket.join(socket.handshake.auth.topic));

http.keepAliveTimeout = 300_000;
http.listen(0, '127.0.0.1', 16_384, () => console.log(`127.0.0.1:${http.address().port}`));
