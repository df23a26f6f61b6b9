// binance (Siebly), its WebsocketAPIClient: spot by signature, cross margin by a listen token. It subscribes again by itself.
'use strict';

const { RECONNECT_MS, STREAM, got, page, run } = require('./driving');

const { client } = page('client');
const wsKey = { 'binance-spot': 'mainWSAPI', 'binance-margin': 'marginUserData' }[STREAM];

client.getWSClient().on('message', (message) => {
  const { wsMarket, wsKey: from, streamName, isWSAPIResponse, ...rest } = message.event ?? message; // its own additions
  if (rest.e) got(rest);
});
if (RECONNECT_MS) client.getWSClient().options.reconnectTimeout = RECONNECT_MS;

run({
  open: () => client.subscribeUserDataStream(wsKey),
  close: () => client.unsubscribeUserDataStream(wsKey),
});
