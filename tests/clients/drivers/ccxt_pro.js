// ccxt for Node: `watchMyTrades` on Binance's WebSocket API, `watchOrders` of BingX.
'use strict';

const { RECONNECT_MS, STREAM, got, page, run, until } = require('./driving');

const { exchange } = page('exchange');
const isBingx = STREAM.startsWith('bingx');
const market = {
  'bingx-swap': { type: 'swap' },
  'bingx-spot': { type: 'spot' },
  'binance-spot': { type: 'spot' },
  'binance-margin': { type: 'margin', marginMode: 'cross' },
}[STREAM];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let closed = false;
process.on('unhandledRejection', console.error); // when a socket ends it throws also where nobody waits
async function read() {
  while (!closed) {
    try {
      const watch = isBingx ? 'watchOrders' : 'watchMyTrades';
      for (const each of await exchange[watch](undefined, undefined, undefined, market)) got(each.info);
    } catch (error) {
      if (closed) return;
      if (!RECONNECT_MS) throw error;
      console.error(error);
      await exchange.close().catch(console.error); // a socket that is about to go would be taken for open
      delete exchange.options.margin; // where it remembers that it was authenticated, also when the socket is gone
      await pause(RECONNECT_MS);
    }
  }
}

const isOpen = (client) => client.connection?.readyState === 1;
run({
  open: async () => {
    await exchange.loadHttpProxyAgent();
    read();
    await until(() => Object.values(exchange.clients).some(isOpen));
  },
  extend: () => exchange.keepAliveListenKey(),
  close: async () => {
    if (isBingx) return exchange.userAuthPrivateDeleteUserDataStream({ listenKey: exchange.options.listenKey });
    closed = true;
    return exchange.close();
  },
});
