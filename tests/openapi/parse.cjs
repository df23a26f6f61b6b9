// Reads AsyncAPI documents with the official parser, and prints what it finds wrong with each, as JSON.
// node parse.cjs NODE_MODULES FILE...
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [modules, ...files] = process.argv.slice(2);
const { Parser } = require(join(modules, "@asyncapi", "parser"));

async function read(file) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
  const found = diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path }));
  const operations = document?.operations().all().map((each) => each.id()) ?? null;
  return { operations, found };
}

Promise.all(files.map(read)).then((results) => console.log(JSON.stringify(results)));
