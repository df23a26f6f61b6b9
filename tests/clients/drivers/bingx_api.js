// bingx-api: the account stream of the perpetual swap, each frame unzipped, `Ping` answered with `Pong`.
'use strict';

const { RECONNECT_MS, got, page, run } = require('./driving');

const { account, executor, stream, BingxExtendListenKeyEndpoint } = page(
  'account', 'executor', 'stream', 'BingxExtendListenKeyEndpoint');

let key;
function open(connected) {
  const opened = stream();
  opened.accountOrderUpdatePushEvent$.subscribe(got);
  opened.accountBalanceAndPositionPush$.subscribe(got);
  opened.listenKeyExpired$.subscribe(got);
  opened.onConnect$.subscribe(() => {
    key = opened.configuration.url.searchParams.get('listenKey');
    connected();
  });
  return opened;
}

// A stream of this client ends with its connection, and a bot makes the next one, which has a key of its own. A call
// for the key that fails is reported to nobody, and a connection that fails is thrown at the process.
function stay(connected) {
  let lost;
  const opened = open(() => { clearTimeout(lost); connected(); });
  const again = () => { clearTimeout(lost); lost = setTimeout(() => stay(connected), RECONNECT_MS); };
  lost = setTimeout(again, 1000);
  opened.onDisconnect$.subscribe(again);
}
if (RECONNECT_MS) process.on('uncaughtException', (error) => console.error(error));

run({
  open: () => new Promise((resolve) => { (RECONNECT_MS ? stay : open)(resolve); }),
  extend: () => executor.execute(new BingxExtendListenKeyEndpoint(key, account)),
});
