// bingx-api: the account stream of the perpetual swap, each frame unzipped, `Ping` answered with `Pong`.
'use strict';

const { RECONNECT_MS, got, page, run } = require('./driving');

const { account, executor, stream, BingxExtendListenKeyEndpoint } = page(
  'account', 'executor', 'stream', 'BingxExtendListenKeyEndpoint');

// The client reads the clock twice, for what it signs and for what it sends. Where a millisecond ends in between, the
// signature is wrong, and it opens a stream for the key `undefined`. Bots of it try again.
const WRONG_SIGNATURE = 100001;
const PATIENCE_MS = 1000;
process.on('uncaughtException', (error) => console.error(error)); // it throws where nobody can catch

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

async function extend() {
  const answer = await executor.execute(new BingxExtendListenKeyEndpoint(key, account));
  if (Number(answer?.code) === WRONG_SIGNATURE) await extend(); // it makes strings of numbers
}

run({ open: () => new Promise(stay), extend });
