// Reads AsyncAPI documents with the official parser, and prints what it finds wrong with each, as JSON.
// node parse.cjs NODE_MODULES FILE...
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [modules, ...files] = process.argv.slice(2);
const { Parser } = require(join(modules, "@asyncapi", "parser"));
const parser = new Parser();

async function read(file) {
  const found = await parser.validate(readFileSync(file, "utf8"));
  return found.map(({ severity, code, message, path }) => ({ severity, code, message, path }));
}

async function main() {
  const results = [];
  for (const file of files) results.push(await read(file));
  console.log(JSON.stringify(results));
}

main();
