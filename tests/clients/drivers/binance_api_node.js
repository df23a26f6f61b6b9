// binance-api-node: `futuresUser` with the newest; `user` and `marginUser` with 0.12, the last for spot listen keys.
'use strict';

const { STREAM, got, page, run } = require('./driving');

const { client } = page('client');
const family = { 'binance-spot': '', 'binance-usdm': 'futures' }[STREAM];
const name = (verb) => (family ? `${family}${verb[0].toUpperCase()}${verb.slice(1)}` : verb);

let key;
run({
  open: async () => {
    // Without its transformation the client gives the event's fields as they are, the type apart.
    const handler = ({ type, ...rest }) => got({ e: type, ...rest });
    await client.ws[name('user')](handler, false);
    key = (await client[name('getDataStream')]()).listenKey;
  },
  extend: () => client[name('keepDataStream')]({ listenKey: key }),
  close: () => client[name('closeDataStream')]({ listenKey: key }),
});
