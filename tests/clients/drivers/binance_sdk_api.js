// @binance/spot: a subscription on the WebSocket API. Where the socket breaks the client opens it again, and a bot subscribes.
'use strict';

const { RECONNECT_MS, got, page, run } = require('./driving');

const { client } = page('client');

let connection;
async function subscribe() {
  const { stream } = await connection.userDataStreamSubscribeSignature();
  stream.on('message', got);
}

run({
  open: async () => {
    connection = await client.websocketAPI.connect();
    await subscribe();
    if (RECONNECT_MS) connection.on('open', () => subscribe().catch(console.error));
  },
  close: () => connection.userDataStreamUnsubscribe(),
});
