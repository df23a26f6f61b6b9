// The Node anchor: the same wire as the gateway's, on Node's http and the `ws` package, as one would write it without
// special effort. Everything is in memory and nothing is durable, so it does less work than the gateway.
//
//   node server.mjs            prints "ready venue=http://HOST:PORT admin=http://HOST:PORT"
//
// admin:  POST /v1/accounts {"name"} · POST /v1/accounts/NAME/api-keys {"key"} · POST /v1/publish NDJSON
// venue:  POST | PUT | DELETE /fapi/v1/listenKey with X-MBX-APIKEY, and /openApi/user/auth/userDataStream with X-BX-APIKEY
//         GET /ws/KEY · GET /swap-market?listenKey=KEY (gzip) · GET /lk/v1/stream?stream=S&since=E:O
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { WebSocketServer } from 'ws';

const EPOCH = 'node';
const accountOf = new Map(); // API key -> account
const keyOf = new Map(); // API key -> listen key
const holderOf = new Map(); // listen key -> account
const subscribers = new Map(); // account and stream -> {plain: Set, gzip: Set}
const journals = new Map(); // account and stream -> [event text]

function entry(map, key, make) {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

function answer(response, status, text) {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function body(request, then) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => then(Buffer.concat(chunks).toString()));
}

// ---- admin ---------------------------------------------------------------------------------------------------

function publishLine(line) {
  const { account, stream, event } = JSON.parse(line);
  const name = `${account} ${stream}`;
  const text = JSON.stringify(event);
  const journal = entry(journals, name, () => []);
  journal.push(text);
  const to = subscribers.get(name);
  if (to !== undefined) {
    if (to.plain.size > 0) {
      const bytes = Buffer.from(text);
      for (const socket of to.plain) socket.send(bytes, { binary: false });
    }
    if (to.gzip.size > 0) {
      const bytes = gzipSync(text, { level: 1 });
      for (const socket of to.gzip) socket.send(bytes, { binary: true });
    }
  }
  return `{"epoch":"${EPOCH}","offset":${journal.length}}\n`;
}

const admin = createServer((request, response) => {
  body(request, (text) => {
    if (request.url === '/v1/publish') {
      let answers = '';
      for (const line of text.split('\n')) if (line !== '') answers += publishLine(line);
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Content-Length': answers.length });
      response.end(answers);
    } else if (request.url.endsWith('/api-keys')) {
      const { key } = JSON.parse(text);
      accountOf.set(key, request.url.split('/')[3]);
      answer(response, 201, JSON.stringify({ id: key, key, secret: null }));
    } else {
      answer(response, 201, text);
    }
  });
});

// ---- venue ---------------------------------------------------------------------------------------------------

const VERBS = {
  POST(apiKey, account) {
    let key = keyOf.get(apiKey);
    if (key === undefined) {
      key = randomBytes(32).toString('hex');
      keyOf.set(apiKey, key);
      holderOf.set(key, account);
    }
    return JSON.stringify({ listenKey: key });
  },
  PUT(apiKey) {
    const key = keyOf.get(apiKey);
    return key === undefined ? undefined : JSON.stringify({ listenKey: key });
  },
  DELETE(apiKey) {
    holderOf.delete(keyOf.get(apiKey));
    return keyOf.delete(apiKey) ? '{}' : undefined;
  },
};

const venue = createServer((request, response) => {
  const apiKey = request.headers['x-mbx-apikey'] ?? request.headers['x-bx-apikey'];
  const account = accountOf.get(apiKey);
  if (account === undefined) {
    answer(response, 401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}');
    return;
  }
  const text = VERBS[request.method]?.(apiKey, account);
  if (text === undefined) answer(response, 400, '{"code":-1125,"msg":"This listenKey does not exist."}');
  else answer(response, 200, text);
});

const sockets = new WebSocketServer({ noServer: true });

function subscribe(socket, name, kind) {
  const to = entry(subscribers, name, () => ({ plain: new Set(), gzip: new Set() }))[kind];
  to.add(socket);
  socket.on('close', () => to.delete(socket));
  socket.on('error', () => {});
}

function replay(socket, name, from) {
  const journal = journals.get(name) ?? [];
  let next = from;
  socket.send(`{"position":${from},"epoch":"${EPOCH}","time":${Date.now()}}`);
  const more = () => {
    while (next < journal.length && socket.bufferedAmount < 1 << 20) {
      const event = journal[next++];
      socket.send(`{"offset":${next},"epoch":"${EPOCH}","time":${Date.now()},"event":${event}}`);
    }
    if (next < journal.length && socket.readyState === socket.OPEN) setImmediate(more);
  };
  more();
}

venue.on('upgrade', (request, tcp, head) => {
  tcp.on('error', () => {}); // a peer may reset whenever it likes
  const url = new URL(request.url, 'http://venue');
  const native = url.pathname === '/lk/v1/stream';
  const account = native
    ? accountOf.get(request.headers.authorization?.slice('Bearer '.length))
    : holderOf.get(url.searchParams.get('listenKey') ?? url.pathname.slice('/ws/'.length));
  if (account === undefined) {
    tcp.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  sockets.handleUpgrade(request, tcp, head, (socket) => {
    if (native) replay(socket, `${account} ${url.searchParams.get('stream')}`, Number(url.searchParams.get('since').split(':')[1]));
    else if (url.pathname === '/swap-market') subscribe(socket, `${account} bingx-swap`, 'gzip');
    else subscribe(socket, `${account} binance-usdm`, 'plain');
  });
});

// --------------------------------------------------------------------------------------------------------------

for (const server of [venue, admin]) {
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  await new Promise((listening) => server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, listening));
}
console.log(`ready venue=http://127.0.0.1:${venue.address().port} admin=http://127.0.0.1:${admin.address().port}`);
process.stdin.on('end', () => process.exit(0)).resume();
