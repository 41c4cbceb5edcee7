// A relay as one would write it with the `ws` package.
//
//   node node_relay.js SOCKET PORT AUTHORITIES CONNECTIONS
//
// Of several connections only the first is passed on; the others stay idle.
'use strict';

const fs = require('fs');
const http = require('http');
const WebSocket = require('ws');

// What a subscriber may leave unread before upstream has to wait. Without it a flood would only
// grow the heap.
const HIGH_WATER = 1 << 20;

const [socketPath, port, authorities, connections] = process.argv.slice(2);
const ca = fs.readFileSync(authorities);

const server = http.createServer();
const subscribers = new WebSocket.WebSocketServer({ server, perMessageDeflate: false });

function relay(upstream) {
  let waiting = 0;
  const drained = () => {
    if (--waiting === 0) {
      upstream.resume();
    }
  };
  upstream.on('message', (data, isBinary) => {
    const options = { binary: isBinary };
    for (const subscriber of subscribers.clients) {
      if (subscriber.bufferedAmount > HIGH_WATER) {
        ++waiting;
        upstream.pause();
        subscriber.send(data, options, drained);
      } else {
        subscriber.send(data, options);
      }
    }
  });
}

function connect() {
  return new Promise((resolve, reject) => {
    const upstream = new WebSocket(`wss://127.0.0.1:${port}/`, { ca, perMessageDeflate: false });
    upstream.once('open', () => resolve(upstream));
    upstream.once('error', reject);
    upstream.once('close', () => process.exit(1));
  });
}

async function main() {
  relay(await connect());
  for (let i = 1; i < Number(connections); ++i) {
    await connect();
  }
  server.listen(socketPath);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
