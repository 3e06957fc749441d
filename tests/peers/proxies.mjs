// Who the client is behind trusted proxies: what ctx.client_ip() says, and what npm's proxy-addr, which Express uses,
// says of the same fields.
//
//   node proxies.mjs PROGRAM MODULES      the built proxies.cpp, and where proxy-addr is installed

import {spawn} from "node:child_process";
import {once} from "node:events";
import http from "node:http";
import {createRequire} from "node:module";
import path from "node:path";

const [program, modules] = process.argv.slice(2);
const proxyAddr = createRequire(path.resolve(modules) + "/")("proxy-addr");
const trust = proxyAddr.compile([  // as in proxies.cpp
    "127.0.0.1", "10.0.0.0/8", "192.168.1.0/24", "172.16.0.0/12", "2001:db8:1::/48", "fd00::/8", "::1",
]);
const patience = 30_000;
let failures = 0;

const report = (name, holds, otherwise = "") => {
    if (!holds) ++failures;
    console.log(holds ? `ok ${name}` : `FAIL ${name}: ${String(otherwise).slice(0, 600)}`);
};

const server = spawn(program, {stdio: ["ignore", "ignore", "pipe"]});
let said = "";
const port = await new Promise((resolve, reject) => {
    server.on("exit", () => reject(new Error(`the server ended: ${said}`)));
    server.stderr.on("data", (bytes) => {
        said += bytes;
        const found = /listening on http:\/\/127\.0\.0\.1:(\d+)\//.exec(said);
        if (found) resolve(Number(found[1]));
    });
});
const agent = new http.Agent({keepAlive: true});

function clientOf(fields) {
    return new Promise((resolve, reject) => {
        const headers = fields.flatMap((field) => ["X-Forwarded-For", field]);
        http.get({port, host: "127.0.0.1", agent, headers: ["Host", "test", ...headers], timeout: patience}, (response) => {
            let body = "";
            response.on("data", (bytes) => (body += bytes)).on("end", () => resolve(body));
        }).on("error", reject);
    });
}

/// One spelling of an address for all of its spellings.
function canonical(address) {
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
    if (mapped) return mapped[1];
    return address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/// The same numbers in each run.
let seed = 7;
const random = (limit) => (seed = (seed * 48271) % 0x7fffffff) % limit;
const pick = (list) => list[random(list.length)];
const addresses = [
    "203.0.113.7", "198.51.100.1", "8.8.8.8", "10.0.0.1", "10.255.255.255", "11.0.0.0", "9.255.255.255", "192.168.1.0",
    "192.168.1.255", "192.168.2.0", "192.168.0.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", "172.15.255.255", "127.0.0.1",
    "127.0.0.2", "::1", "::2", "2001:db8:1::1", "2001:DB8:1:ffff::", "2001:db8:2::1", "2001:db8:0:ffff::1", "fd00::", "fdff:1::2",
    "fe80::1", "2001:0db8:0001:0000:0000:0000:0000:0009", "::ffff:10.0.0.1", "::ffff:203.0.113.9", "0.0.0.0", "255.255.255.255",
];

let different = "";
for (let i = 0; i < 3000 && !different; ++i) {
    const fields = Array.from({length: random(3)}, () =>
        Array.from({length: 1 + random(4)}, () => pick(addresses)).join(pick([",", ", ", " ,  "])));
    const request = {connection: {remoteAddress: "127.0.0.1"}, headers: {}};
    if (fields.length > 0) request.headers["x-forwarded-for"] = fields.join(", ");
    const expected = canonical(proxyAddr(request, trust));
    const seen = canonical(await clientOf(fields));
    if (seen !== expected) different = `${JSON.stringify(fields)}: proxy-addr has ${expected}, Sake ${seen}`;
}
report("3,000 requests have the client that proxy-addr finds", !different, different);

agent.destroy();
server.removeAllListeners("exit");
const ended = once(server, "exit");
server.kill("SIGTERM");
const [code] = await ended;
report("the server ends well", code === 0, code);
process.exit(failures === 0 ? 0 : 1);
