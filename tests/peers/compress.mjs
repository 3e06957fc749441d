// What compress sends, as others read it: the coding that npm's negotiator chooses, for thousands of Accept-Encoding
// fields; curl --compressed; and the fetch of node, which decodes while it reads.
//
//   node compress.mjs PROGRAM MODULES      the built compress.cpp, and the node_modules with negotiator

import {execFile, spawn} from "node:child_process";
import {once} from "node:events";
import http from "node:http";
import {createRequire} from "node:module";
import path from "node:path";
import {promisify} from "node:util";

const [program, modules] = process.argv.slice(2);
const Negotiator = createRequire(path.resolve(modules) + "/")("negotiator");
const patience = 30_000;
let failures = 0;

const report = (name, holds, otherwise = "") => {
    if (!holds) ++failures;
    console.log(holds ? `ok ${name}` : `FAIL ${name}: ${String(otherwise).slice(0, 600)}`);
};

const server = spawn(program, {stdio: ["ignore", "ignore", "pipe"]});
let said = "";
const url = await new Promise((resolve, reject) => {
    server.on("exit", () => reject(new Error(`the server ended: ${said}`)));
    server.stderr.on("data", (bytes) => {
        said += bytes;
        const found = /listening on (http:\/\/127\.0\.0\.1:\d+)\//.exec(said);
        if (found) resolve(found[1]);
    });
});
const agent = new http.Agent({keepAlive: true});

/// Status and coding of an answer.
function ask(target, codings) {
    return new Promise((resolve, reject) => {
        const headers = {"Accept-Encoding": codings};
        http.get(url + target, {agent, headers, timeout: patience}, (response) => {
            response.resume().on("end", () =>
                resolve({status: response.statusCode, coding: response.headers["content-encoding"] ?? "identity"}));
        }).on("error", reject);
    });
}

/// The same numbers in each run.
let seed = 1;
const random = (limit) => (seed = (seed * 48271) % 0x7fffffff) % limit;
const shuffled = (list) => {
    const rest = [...list];
    return list.map(() => rest.splice(random(rest.length), 1)[0]);
};

async function compareChoices(name, target, preferred) {
    const qualities = ["", "", "", ";q=0", ";q=0.0", ";q=0.001", ";q=0.1", ";q=0.5", "; q=0.9", ";q=1", ";q=1.000", " ; q=0.5"];
    let different = "";
    for (let i = 0; i < 2000 && !different; ++i) {
        const names = shuffled(["gzip", "br", "zstd", "identity", "*", "deflate", "GZIP-x"]).slice(0, random(8));
        const field = names.map((each) => each + qualities[random(qualities.length)]).join([",", ", ", " , "][random(3)]);
        const chosen = new Negotiator({headers: {"accept-encoding": field}}).encoding(preferred, {preferred});
        const {status, coding} = await ask(target, field);
        const expected = chosen === undefined ? "406" : `200 ${chosen}`;
        const seen = status === 406 ? "406" : `${status} ${coding}`;
        if (seen !== expected) different = `'${field}': negotiator has ${expected}, Sake ${seen}`;
    }
    report(`${name}: 2,000 fields are read as negotiator reads them`, !different, different);
}

async function curl(...more) {
    const always = ["--disable", "--silent", "--noproxy", "*", "--max-time", "30"];
    const options = {encoding: "buffer", maxBuffer: 1 << 24, timeout: patience * 2};
    try {
        return {status: 0, body: (await promisify(execFile)("curl", [...always, ...more], options)).stdout.toString()};
    } catch (error) {
        return {status: error.code, body: error.stdout.toString()};
    }
}

async function tryCurl() {
    const version = (await curl("--version")).body;
    const codings = [["libz", "gzip"], ["brotli", "br"], ["zstd", "zstd"]].filter(([feature]) => version.includes(feature));
    for (const [, coding] of [...codings, ["", ""]]) {
        const only = coding ? ["-H", `Accept-Encoding: ${coding}`] : [];
        for (const target of ["/text/1024", "/text/100000", "/text/300000", "/stream/300000"]) {
            const plain = await curl(url + target);
            const decoded = await curl("--compressed", ...only, url + target);
            const head = (await curl("--compressed", ...only, "-I", url + target)).body;
            const isCompressed = new RegExp(`^content-encoding: ${coding}`, "im").test(head);
            report(`curl --compressed ${coding} ${target}`,
                   plain.body.length > 1000 && decoded.body === plain.body && isCompressed, head);
        }
        for (const version of ["--http1.0", "--http1.1"]) {
            const cut = await curl("--compressed", ...only, version, `${url}/cut`);
            report(`curl --compressed ${coding} ${version} sees that an answer is cut`, cut.status !== 0, cut.body);
        }
    }
    const first = (await curl("--compressed", "-i", `${url}/text/2000`)).body;
    const tag = /^etag: (.*?)\r?$/im.exec(first)?.[1] ?? "";
    const again = (await curl("--compressed", "-i", "-H", `If-None-Match: ${tag}`, `${url}/text/2000`)).body;
    report("a weak tag comes back as a 304", tag.startsWith("W/") && /^HTTP\/1.1 304/.test(again), again);
}

async function tryFetch() {
    const text = await (await fetch(`${url}/text/100000`)).text();
    report("fetch decodes a body", text.length === 100000, text.length);
    for (const coding of ["gzip", "br"]) {
        const stop = new AbortController();
        const response = await fetch(`${url}/events`, {headers: {"Accept-Encoding": coding}, signal: stop.signal});
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        const late = setTimeout(() => stop.abort(), patience);
        let seen = "";
        let arrived = 0;
        try {
            for (; arrived < 20; ++arrived) {
                const message = `${coding} message ${arrived}`;
                await fetch(`${url}/messages`, {method: "POST", body: message});
                while (!seen.includes(`data: ${message}\n\n`)) seen += (await reader.read()).value;
            }
        } catch (error) {
            seen += error;
        }
        clearTimeout(late);
        stop.abort();
        const isCompressed = response.headers.get("content-encoding") === coding;
        report(`fetch reads each event by ${coding} before the next is sent`, isCompressed && arrived === 20, seen);
    }
}

try {
    await compareChoices("bodies", "/text/2000", ["zstd", "br", "gzip", "identity"]);
    await compareChoices("streams", "/stream/2000", ["gzip", "zstd", "br", "identity"]);
    await tryCurl();
    await tryFetch();
} catch (error) {
    report("the script ends by itself", false, error.stack);
}
agent.destroy();
server.removeAllListeners("exit");
const ended = once(server, "exit");
server.kill("SIGTERM");
report("the server ends with status 0", (await ended)[0] === 0);
process.exit(failures === 0 ? 0 : 1);
