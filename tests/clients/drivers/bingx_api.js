// bingx-api: the account stream of the perpetual swap, and by its address of coin-M. Each frame is unzipped, `Ping`
// is answered with `Pong`.
'use strict';

const { STREAM, got, page, run } = require('./driving');

const factory = STREAM === 'bingx-coinm' ? 'coinm' : 'stream';
const { account, executor, BingxExtendListenKeyEndpoint, [factory]: stream } = page(
  'account', 'executor', 'BingxExtendListenKeyEndpoint', factory);

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
run({
  open: async () => {
    const opened = stream();
    opened.accountOrderUpdatePushEvent$.subscribe(got);
    opened.accountBalanceAndPositionPush$.subscribe(got);
    opened.listenKeyExpired$.subscribe(got);
    await new Promise((resolve) => opened.onConnect$.subscribe(resolve));
    key = opened.configuration.url.searchParams.get('listenKey');
  },
  extend: () => executor.execute(new BingxExtendListenKeyEndpoint(key, account)),
});
