// bingx-api: the account stream of the perpetual swap, and by its address of coin-M. Each frame is unzipped, `Ping`
// is answered with `Pong`.
'use strict';

const { RECONNECT_MS, STREAM, got, page, run } = require('./driving');

const factory = STREAM === 'bingx-coinm' ? 'coinm' : 'stream';
const { account, executor, BingxExtendListenKeyEndpoint, [factory]: stream } = page(
  'account', 'executor', 'BingxExtendListenKeyEndpoint', factory);

const PATIENCE_MS = 4000;
process.on('uncaughtException', (error) => console.error(error)); // it throws where nobody can catch

// The client reads the clock twice for each call, once for what it signs and once for what it sends. Where a
// millisecond ends in between, the signature is wrong, here as at the venue; a bot has to ask again.
const send = executor.execute;
executor.execute = async (endpoint) => {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await send(endpoint);
    if (answer.code !== '100001' || attempt === 5) return answer;
    console.error('asks again after', answer);
    await new Promise((resolve) => setTimeout(resolve, 600)); // the venue allows two calls a second
  }
};

let key;
function open(connected, lost) {
  const opened = stream();
  opened.accountOrderUpdatePushEvent$.subscribe(got);
  opened.accountBalanceAndPositionPush$.subscribe(got);
  opened.listenKeyExpired$.subscribe(got);
  // A call for the key that fails is reported to nobody.
  const failed = setTimeout(lost, PATIENCE_MS);
  opened.onConnect$.subscribe(() => {
    clearTimeout(failed);
    key = opened.configuration.url.searchParams.get('listenKey');
    connected();
  });
  opened.onDisconnect$.subscribe(() => {
    clearTimeout(failed);
    lost();
  });
}

// A stream of this client ends with its connection; a bot makes the next one, which has a key of its own. Where tests
// do not break connections, that is done only until the first is there.
function stay(connected) {
  let isOpen = false;
  open(
    () => { isOpen = true; connected(); },
    () => { if (RECONNECT_MS || !isOpen) setTimeout(() => stay(connected), RECONNECT_MS); },
  );
}

run({
  open: () => new Promise(stay),
  extend: () => executor.execute(new BingxExtendListenKeyEndpoint(key, account)),
});
