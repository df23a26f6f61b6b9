// @binance/connector 3.x, the official one before the SDKs: spot and margin on /ws/KEY.
'use strict';

const { RECONNECT_MS, STREAM, got, page, run } = require('./driving');

const { client, streams } = page('client', 'streams');
const [family, symbol] = STREAM.split(':');
const [name, scope] = {
  'binance-spot': ['', []],
  'binance-margin': ['Margin', []],
  'binance-margin-isolated': ['IsolatedMargin', [symbol]],
}[family];

let key;
run({
  open: async () => {
    key = (await client[`create${name}ListenKey`](...scope)).data.listenKey;
    await new Promise((resolve) => {
      const stream = streams({ open: resolve, message: (text) => got(JSON.parse(text)) });
      if (RECONNECT_MS) stream.reconnectDelay = RECONNECT_MS;
      stream.userData(key);
    });
  },
  extend: () => client[`renew${name}ListenKey`](...scope, key),
  close: () => client[`close${name}ListenKey`](...scope, key),
});
