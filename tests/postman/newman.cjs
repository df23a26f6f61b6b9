// Runs collections one after the other, as their user would, and prints what each did.
//
//   node newman.cjs NODE_MODULES '[{"file": ..., "variables": {...}, "times": 1}, ...]'
const [, , modules, orders] = process.argv;
const newman = require(require.resolve("newman", { paths: [modules] }));
const { Collection } = require(require.resolve("postman-collection", { paths: [modules] }));

function run({ file, variables, times }) {
    const envVar = Object.entries(variables).map(([key, value]) => ({ key, value }));
    return new Promise((resolve, reject) => {
        newman.run({ collection: file, envVar, iterationCount: times }, (error, summary) => (error ? reject(error) : resolve(summary)));
    });
}

function told({ run: { stats, executions, failures } }) {
    return {
        items: executions.map((each) => each.item.name),
        assertions: stats.assertions.total,
        // Of a failure, what it says and where.
        failures: failures.map((each) => `${each.source.name}: ${each.error.message}`),
    };
}

(async () => {
    const seen = [];
    for (const order of JSON.parse(orders)) {
        seen.push({ ...told(await run(order)), read: new Collection(require(order.file)).toJSON() });
    }
    process.stdout.write(JSON.stringify(seen));
})();
