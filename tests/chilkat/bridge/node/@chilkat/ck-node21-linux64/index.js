// A stand-in for Chilkat's package: see ../../../serve.py.
'use strict';
const fs = require('fs');

const asked = fs.openSync(process.env.CHILKAT_ASK, 'w');
const told = fs.openSync(process.env.CHILKAT_TOLD, 'r');
const numbers = new WeakMap();
let rest = '';

function line() {
    const piece = Buffer.alloc(65536);
    while (!rest.includes('\n')) {
        rest += piece.toString('latin1', 0, fs.readSync(told, piece));
    }
    const end = rest.indexOf('\n');
    const found = rest.slice(0, end);
    rest = rest.slice(end + 1);
    return found;
}

function ask(...parts) {
    fs.writeSync(asked, parts.join(' ') + '\n');
    const answer = line();
    const value = answer.slice(1);
    switch (answer[0]) {
        case 'e': throw new Error(Buffer.from(value, 'hex').toString());
        case 'n': return null;
        case 's': return Buffer.from(value, 'hex').toString();
        case 'b': return value === '1';
        case 'i': return Number(value);
        case 'o': return proxy(value.split(' ')[0]);
        default: return undefined;
    }
}

function written(value) {
    if (typeof value === 'string') return 's' + Buffer.from(value).toString('hex');
    if (typeof value === 'boolean') return value ? 'b1' : 'b0';
    return typeof value === 'number' ? 'i' + value : 'o' + numbers.get(value);
}

function proxy(number) {
    const object = new Proxy({}, {
        get(_, name) {
            const value = ask('get', number, name);
            return value === undefined ? (...values) => ask('invoke', number, name, ...values.map(written)) : value;
        },
        set(_, name, value) {
            ask('put', number, name, written(value));
            return true;
        },
    });
    numbers.set(object, number);
    return object;
}

for (const kind of ['Http', 'HttpResponse', 'JsonObject', 'Rest', 'WebSocket', 'BinData', 'Gzip', 'StringBuilder',
    'Crypt2', 'CkDateTime']) {
    exports[kind] = function () {
        return ask('new', kind.startsWith('Ck') ? kind : 'Ck' + kind);
    };
}
