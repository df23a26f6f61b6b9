// What the Node drivers share: the lines of the how-to, the orders of the test on standard input, NDJSON back.
// driving.py tells the same story for Python.
'use strict';

const { createRequire } = require('node:module');
const path = require('node:path');
const readline = require('node:readline');

const { API_KEY, API_SECRET, STREAM } = process.env;

// How long to wait before coming back when the stream breaks, for tests that break it; 0 leaves it to the client.
const RECONNECT_MS = Number(process.env.RECONNECT_MS ?? 0);

// Run the block of the how-to page as a user would have it in a program, and return the names asked for.
// The clients are installed where the test says, which is the working directory.
function page(...names) {
  const load = createRequire(path.join(process.cwd(), 'package.json'));
  const body = `${process.env.PAGE_BLOCK}\nreturn {${names.join(',')}};`;
  return new Function('require', 'API_KEY', 'API_SECRET', body)(load, API_KEY, API_SECRET);
}

// A BigInt has no JSON of its own; it is written as text.
const plain = (name, value) => (typeof value === 'bigint' ? String(value) : value);

function tell(line) {
  process.stdout.write(`${JSON.stringify(line, plain)}\n`);
}

// Clients write their logs with console.log; standard output belongs to the test.
console.log = console.info = console.debug = console.error;

const got = (event) => tell({ got: event });

// Wait until `ready()` is true, for clients that say so by a property instead of a promise.
async function until(ready) {
  while (!ready()) await new Promise((resolve) => setTimeout(resolve, 20));
}

// Open, then do what the test orders until standard input ends, then leave without the client's own farewells.
async function run(orders) {
  await orders.open();
  tell({ did: 'open' });
  for await (const word of readline.createInterface({ input: process.stdin })) {
    await orders[word]();
    tell({ did: word });
  }
  process.exit(0);
}

module.exports = { API_KEY, API_SECRET, RECONNECT_MS, STREAM, got, page, run, until };
