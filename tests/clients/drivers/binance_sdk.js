// @binance/derivatives-trading-coin-futures and -portfolio-margin: a listen key, and SUBSCRIBE with it.
'use strict';

const { got, page, run } = require('./driving');

const { client } = page('client');

run({
  open: async () => {
    const { listenKey } = await (await client.restAPI.startUserDataStream()).data();
    const connection = await client.websocketStreams.connect();
    connection.userData(listenKey).on('message', got);
  },
  extend: () => client.restAPI.keepaliveUserDataStream(),
  close: () => client.restAPI.closeUserDataStream(),
});
