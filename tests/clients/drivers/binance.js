// binance (Siebly): spot, margin and its risk stream, COIN-M and portfolio margin, USD-M on /private/stream?listenKey=KEY.
'use strict';

const { RECONNECT_MS, STREAM, got, page, run } = require('./driving');

const { main, usdm, coinm, portfolio, ws } = page('main', 'usdm', 'coinm', 'portfolio', 'ws');
const [family, symbol] = STREAM.split(':');

let key;
ws.on('message', (message) => {
  const event = message.data ?? message;
  const { wsMarket, wsKey, streamName, isWSAPIResponse, ...rest } = event; // its own additions
  got(rest);
});
ws.on('exception', (error) => console.error(error));
if (RECONNECT_MS) ws.options.reconnectTimeout = RECONNECT_MS;

// The client keeps its key to itself, so the same REST client asks for it again: same key, by the venue's rules.
const lives = {
  'binance-spot': {
    open: () => ws.subscribeSpotUserDataStream(),
    key: () => main.getSpotUserDataListenKey(),
    extend: () => main.keepAliveSpotUserDataListenKey(key),
    close: () => main.closeSpotUserDataListenKey(key),
  },
  'binance-margin': {
    open: () => ws.subscribeCrossMarginUserDataStream(),
    key: () => main.getMarginUserDataListenKey(),
    extend: () => main.keepAliveMarginUserDataListenKey(key),
    close: () => main.closeMarginUserDataListenKey(key),
  },
  'binance-margin-isolated': {
    open: () => ws.subscribeIsolatedMarginUserDataStream(symbol),
    key: () => main.getIsolatedMarginUserDataListenKey({ symbol }),
    extend: () => main.keepAliveIsolatedMarginUserDataListenKey({ symbol, listenKey: key }),
    close: () => main.closeIsolatedMarginUserDataListenKey({ symbol, listenKey: key }),
  },
  'binance-usdm': {
    open: () => ws.subscribeUsdFuturesUserDataStream(),
    key: () => usdm.getFuturesUserDataListenKey(),
    extend: () => usdm.keepAliveFuturesUserDataListenKey(),
    close: () => usdm.closeFuturesUserDataListenKey(),
  },
  'binance-coinm': {
    open: () => ws.subscribeCoinFuturesUserDataStream(),
    key: () => coinm.getFuturesUserDataListenKey(),
    extend: () => coinm.keepAliveFuturesUserDataListenKey(),
    close: () => coinm.closeFuturesUserDataListenKey(),
  },
  'binance-pm': {
    open: () => ws.subscribePortfolioMarginUserDataStream(),
    key: () => portfolio.getPMUserDataListenKey(),
    extend: () => portfolio.keepAlivePMUserDataListenKey(),
    close: () => portfolio.closePMUserDataListenKey(),
  },
  'binance-margin-risk': {
    open: () => ws.subscribeMarginRiskUserDataStream(),
    key: () => main.getMarginRiskUserDataListenKey(),
    extend: () => main.keepAliveMarginRiskUserDataListenKey(key),
    close: () => main.closeMarginRiskUserDataListenKey(),
  },
};
const life = lives[family];

run({
  open: async () => {
    const opened = new Promise((resolve) => ws.once('open', resolve));
    await life.open();
    await opened;
    key = (await life.key()).listenKey;
  },
  extend: life.extend,
  close: () => {
    // Told that its key is gone, it makes a new one half a second later. Held back, so that whatever comes after the
    // close can only come by the closed key.
    ws.options.reconnectTimeout = 3_600_000;
    return life.close();
  },
});
