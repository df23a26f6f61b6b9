// bingx-api: the account stream of the perpetual swap, each frame unzipped, `Ping` answered with `Pong`.
'use strict';

const { got, page, run } = require('./driving');

const { account, executor, stream, BingxExtendListenKeyEndpoint } = page(
  'account', 'executor', 'stream', 'BingxExtendListenKeyEndpoint');

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
