// Runs collections, each as its user would, and prints what each did.
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

// All at once: most of their time they wait.
async function seen(order) {
    return { ...told(await run(order)), read: new Collection(require(order.file)).toJSON() };
}

Promise.all(JSON.parse(orders).map(seen)).then((all) => process.stdout.write(JSON.stringify(all)));
