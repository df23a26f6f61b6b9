// node-binance-api 0.13, the last one on listen keys for spot. Its keep-alive runs on a timer of half an hour and it has
// no close, so a bot that wants either sends the signed request itself.
'use strict';

const { got, page, run } = require('./driving');

const { binance, rest } = page('binance', 'rest');

let key;
run({
  open: () => new Promise((resolve) => {
    binance.websockets.userData(got, got, (endpoint) => { key = endpoint; resolve(); }, got);
  }),
  extend: () => binance.signedRequest(`${rest}v3/userDataStream`, { listenKey: key }, undefined, 'PUT'),
  close: () => binance.signedRequest(`${rest}v3/userDataStream`, { listenKey: key }, undefined, 'DELETE'),
});
