// WebSockets as others speak them: npm's ws with and without compression, undici's WebSocket and that of node itself,
// against websocket.cpp.
//
//   node websocket.mjs PROGRAM MODULES UNDICI     the built websocket.cpp, and the node_modules with ws and with undici

import {spawn, spawnSync} from "node:child_process";
import {once} from "node:events";
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import path from "node:path";

const isBehindFlag = !globalThis.WebSocket && process.allowedNodeEnvironmentFlags.has("--experimental-websocket");
if (isBehindFlag && !process.execArgv.includes("--experimental-websocket")) {
    const {status} = spawnSync(process.execPath, ["--experimental-websocket", ...process.argv.slice(1)], {stdio: "inherit"});
    process.exit(status ?? 1);
}

const [program, modules, modulesOfUndici] = process.argv.slice(2);
const load = (from, name) => createRequire(path.resolve(from) + "/")(name);
const Ws = load(modules, "ws");
const patience = 60_000;
let failures = 0;

const report = (name, holds, otherwise = "") => {
    if (!holds) ++failures;
    console.log(holds ? `ok ${name}` : `FAIL ${name}: ${String(otherwise).slice(0, 600)}`);
};
const same = (name, seen, expected) => {
    const [one, other] = [seen, expected].map((value) => JSON.stringify(value));
    report(name, one === other, `${one?.slice(0, 250)} is not ${other.slice(0, 250)}`);
};

/// What a promise gives, unless that takes too long.
async function within(promise, what) {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), patience)));
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

const server = spawn(program, {stdio: ["ignore", "ignore", "pipe"]});
let said = "";
const port = await within(new Promise((resolve, reject) => {
    server.on("exit", () => reject(new Error(`the server ended: ${said}`)));
    server.stderr.on("data", (bytes) => {
        said += bytes;
        const found = /listening on http:\/\/127\.0\.0\.1:(\d+)\//.exec(said);
        if (found) resolve(Number(found[1]));
    });
}), "the server");
const url = (target) => `ws://127.0.0.1:${port}${target}`;
const ask = async (method, target) => (await fetch(`http://127.0.0.1:${port}${target}`, {method})).text();

/// One connection, with what has come of it.
class Talk {
    constructor(socket) {
        this.socket = socket;
        this.inbox = [];
        this.tell = () => {};
        socket.binaryType = "arraybuffer";
        socket.addEventListener("message", ({data}) => {
            this.inbox.push(typeof data === "string" ? data : Buffer.from(data));
            this.tell();
        });
        this.closed = new Promise((resolve) => socket.addEventListener("close", ({code, reason}) => {
            this.isClosed = true;
            resolve({code, reason});
            this.tell();
        }));
        this.opened = new Promise((resolve) => {
            socket.addEventListener("open", () => resolve(true));
            socket.addEventListener("error", ({message}) => {  // after which undici says no more
                this.refusal = message;
                resolve(false);
            });
            this.closed.then(() => resolve(false));
        });
    }

    /// The next message; undefined once it is closed.
    async next() {
        while (this.inbox.length === 0 && !this.isClosed) {
            await within(new Promise((resolve) => (this.tell = resolve)), "a message");
        }
        return this.inbox.shift();
    }
    async echo(message) {
        this.socket.send(message);
        return this.next();
    }
    /// The code and the reason of its end.
    end() {
        return within(this.closed, "the end of a connection");
    }
    async close(code, reason) {
        this.socket.close(code, reason);
        return this.end();
    }
}

async function open(make, target, protocols = []) {
    const talk = new Talk(make(url(target), protocols));
    if (!(await within(talk.opened, "a connection"))) throw new Error(`no connection to ${target}: ${talk.refusal ?? ""}`);
    return talk;
}

// ---- what is sent

/// The same numbers in each run.
let seed = 1;
const random = (limit) => (seed = (seed * 48271) % 0x7fffffff) % limit;
const randomBytes = (size) => Buffer.from({length: size}, () => random(251));
const noise = randomBytes(1 << 20);
const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20];

/// A text of so many bytes in UTF-8.
function textOf(size) {
    const whole = "line \u9152 \u00e9 \u{1f376} of many\n".repeat(size / 27 + 1);
    const bytes = Buffer.from(whole).subarray(0, Math.max(0, size - 4));
    const text = new TextDecoder().decode(bytes, {stream: true});
    return text + ".".repeat(size - Buffer.byteLength(text));
}
const contents = {
    "text": textOf,
    "random text": (size) => noise.toString("base64").slice(0, size),
    "bytes": (size) => Buffer.alloc(size, "\0\r\n\xff abc"),
    "random bytes": (size) => noise.subarray(0, size),
};
const isSame = (one, other) => typeof one === typeof other &&
    (typeof one === "string" ? one === other : Buffer.isBuffer(one) && one.equals(other));

// ---- what all clients can do

const routes = ["/echo", "/deflate-shared", "/deflate-dedicated-9", "/deflate-dedicated-12", "/deflate-dedicated-15"];

async function tryEchoes(name, make) {
    for (const route of routes) {
        const talk = await open(make, route);
        let wrong = "";
        for (const [kind, content] of Object.entries(contents)) {
            for (const size of sizes) {
                const sent = content(size);
                const back = await talk.echo(sent);
                if (!isSame(back, sent)) wrong += ` ${kind} of ${size} bytes (${back?.length})`;
            }
        }
        const {code} = await talk.close(1000, "done");
        report(`${name}: ${route}: what is sent comes back`, !wrong, wrong);
        same(`${name}: ${route}: the end`, code, 1000);
    }
}

async function tryOrder(name, make) {
    for (const route of ["/echo", "/deflate-shared", "/deflate-dedicated-12"]) {
        const talk = await open(make, route);
        const filler = "and more ".repeat(150);  // every tenth is compressed
        const message = (i) => (i % 10 === 0 ? `${i} ${filler}` : `${i}`);
        for (let i = 0; i < 10_000; ++i) talk.socket.send(message(i));
        let i = 0;
        while (i < 10_000 && (await talk.next()) === message(i)) ++i;
        await talk.close();
        same(`${name}: ${route}: 10,000 messages come back in order`, i, 10_000);
    }
}

async function tryCloses(name, make, canCloseWithAny) {
    for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]) {
        const talk = await open(make, `/close/${code}`);
        same(`${name}: the server closes with ${code}`, await talk.end(), {code, reason: `because of ${code} \u9152`});
    }
    const codes = canCloseWithAny ? [1000, 1001, 1011, 3000, 4999] : [1000, 3000, 4999];
    for (const code of codes) {
        for (const reason of ["", "\u9152 done", "x".repeat(123)]) {
            const talk = await open(make, "/told");
            const {code: seen} = await talk.close(code, reason);
            same(`${name}: it closes with ${code} and ${reason.length} characters`, seen, code);
            same(`${name}: and the server sees that`, await within(ask("GET", "/ends"), "the end"), `${code} ${reason}`);
        }
    }
    const talk = await open(make, "/told");
    same(`${name}: it closes without a code`, (await talk.close()).code, 1005);
    same(`${name}: and the server sees that`, await within(ask("GET", "/ends"), "the end"), "1005 ");
    const failing = await open(make, "/fails");
    failing.socket.send("go");
    same(`${name}: a handler that fails ends with 1011`, (await failing.end()).code, 1011);
}

async function tryLimits(name, make) {
    for (const route of ["/echo", "/deflate-shared"]) {
        const talk = await open(make, route);
        talk.socket.send("x".repeat((1 << 20) + 1));
        same(`${name}: ${route}: one byte more than may be sent`, (await talk.end()).code, 1009);
    }
}

async function tryProtocols(name, make) {
    for (const [offered, agreed] of [[["chat.v1"], "chat.v1"], [["chat.v1", "chat.v2"], "chat.v2"], [["soap", "chat.v1"], "chat.v1"]]) {
        const talk = await open(make, "/proto", offered);
        same(`${name}: of ${offered}, both have ${agreed}`, [talk.socket.protocol, await talk.next()], [agreed, agreed]);
        await talk.end();
    }
    const plain = await open(make, "/proto");
    same(`${name}: without a subprotocol`, [plain.socket.protocol, await plain.next()], ["", ""]);
    // A client that offers some and is granted none fails the connection itself.
    const refused = new Talk(make(url("/proto"), ["soap"]));
    same(`${name}: none that both speak`, await within(refused.opened, "an answer"), false);
}

async function tryPosts(name, make) {
    const talk = await open(make, "/push");
    const next = Array(8).fill(0);
    let wrong = "";
    for (let i = 0; i < 16_000 && !wrong; ++i) {
        const message = await talk.next();
        const [thread, number] = (message ?? "9 0").split(" ").map(Number);
        if (next[thread]++ !== number) wrong = `${message} after ${next}`;
    }
    report(`${name}: what eight threads post comes, each in its order`, !wrong, wrong);
    same(`${name}: and then what the handler sends`, await talk.echo("and on"), "and on");
    await talk.close();
}

async function tryAll(name, make, canCloseWithAny) {
    for (const part of [tryEchoes, tryOrder, tryCloses, tryLimits, tryProtocols, tryPosts]) {
        try {
            await part(name, make, canCloseWithAny);
        } catch (error) {
            report(`${name}: ${part.name} goes to its end`, false, error.stack);
        }
    }
}

// ---- what ws can do besides

const ofWs = (options) => (target, protocols) => new Ws(target, protocols, {maxPayload: 1 << 24, ...options});
const plainWs = ofWs({perMessageDeflate: false});

/// What ws asks for, and what the routes make of it.
async function tryWindows() {
    const windows = [undefined, 8, 9, 10, 12, 15];
    for (const route of routes.slice(1)) {
        let wrong = "";
        for (const serverMaxWindowBits of windows) {
            for (const clientMaxWindowBits of [...windows, false]) {
                for (const [serverNoContextTakeover, clientNoContextTakeover] of  // by false, ws would refuse it
                    [[undefined, undefined], [true, undefined], [undefined, true], [true, true]]) {
                    const asked = {serverMaxWindowBits, clientMaxWindowBits, serverNoContextTakeover, clientNoContextTakeover, threshold: 0};
                    const said = JSON.stringify(asked);
                    const talk = new Talk(ofWs({perMessageDeflate: asked})(url(route), []));
                    if (!(await within(talk.opened, "a connection"))) {
                        wrong += ` ${said}: ${talk.refusal}`;
                        continue;
                    }
                    const isCompressed = talk.socket.extensions === "permessage-deflate";
                    if (isCompressed !== (serverMaxWindowBits !== 8)) wrong += ` ${said}: ${isCompressed}`;
                    for (const sent of [textOf(3000), textOf(3000), noise.subarray(0, 70_000), textOf(70_000), ""]) {
                        if (!isSame(await talk.echo(sent), sent)) wrong += ` ${said}: ${sent.length} bytes`;
                    }
                    await talk.close();
                }
            }
        }
        report(`ws: ${route}: windows of all sizes, kept and not kept`, !wrong, wrong);
    }
}

/// Sends a message in these pieces.
async function echoPieces(talk, pieces, options) {
    pieces.forEach((piece, i) => talk.socket.send(piece, {...options, fin: i === pieces.length - 1}));
    return talk.next();
}

async function tryFragments() {
    const wine = Buffer.from("\u9152 \u{1f376}");
    for (const [route, make] of [["/echo", plainWs], ...routes.slice(1).map((each) => [each, ofWs({})])]) {
        const talk = await open(make, route);
        const bytes = [...wine].map((byte) => Buffer.from([byte]));
        const text = {binary: false, compress: true};
        same(`ws: ${route}: a text of one byte a frame`, await echoPieces(talk, bytes, text), wine.toString());
        same(`ws: ${route}: empty frames`, await echoPieces(talk, ["", "", "a", "", "b", ""], text), "ab");
        const large = Array.from({length: 16}, (_, i) => noise.subarray(i * 65536, (i + 1) * 65536));
        report(`ws: ${route}: 1 MiB in frames`, isSame(await echoPieces(talk, large, {binary: true, compress: true}), noise));
        const most = Array(1000).fill("x");
        same(`ws: ${route}: a thousand frames`, await echoPieces(talk, most, text), "x".repeat(1000));
        for (const piece of [...most, "x"]) talk.socket.send(piece, {...text, fin: false});
        same(`ws: ${route}: one frame more`, (await talk.end()).code, 1008);
    }
    const sum = await open(plainWs, "/echo");
    sum.socket.send("x".repeat(1 << 20), {fin: false});
    sum.socket.send("x", {fin: true});
    same("ws: a message that is too large as a whole", (await sum.end()).code, 1009);
}

async function tryBadText() {
    const bad = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0xe9, 0x85]];
    for (const [route, make] of [["/echo", plainWs], ["/deflate-shared", ofWs({perMessageDeflate: {threshold: 0}})]]) {
        for (const bytes of bad) {
            const talk = await open(make, route);
            talk.socket.send(Buffer.from(bytes), {binary: false});
            same(`ws: ${route}: a text that is not UTF-8: ${bytes}`, (await talk.end()).code, 1007);
        }
    }
}

async function tryPings() {
    const talk = await open(plainWs, "/echo");
    for (const payload of ["", "\u9152", "x".repeat(125)]) {
        const answered = once(talk.socket, "pong");
        talk.socket.ping(payload);
        same(`ws: a ping with ${payload.length} characters`, String((await within(answered, "a pong"))[0]), payload);
    }
    const between = once(talk.socket, "pong");
    talk.socket.send("a", {fin: false});
    talk.socket.ping("now");
    same("ws: a ping within a message is answered before its end", String((await within(between, "a pong"))[0]), "now");
    talk.socket.send("b", {fin: true});
    same("ws: and the message goes on", await talk.next(), "ab");
    await talk.close();

    const silent = await open(plainWs, "/hasty");
    for (let i = 0; i < 3; ++i) await within(once(silent.socket, "ping"), "a ping");
    same("ws: pings of the server are answered, and the connection stays", await silent.echo("still here"), "still here");
    await silent.close();
}

async function tryRefusals() {
    const refused = async (target, options) => {
        const socket = new Ws(url(target), [], options);
        socket.on("error", () => {});
        const [, response] = await within(once(socket, "unexpected-response"), "a refusal");
        response.resume();
        return response.statusCode;
    };
    same("ws: middleware refuses", await refused("/guarded"), 401);
    same("ws: a path without a route", await refused("/absent"), 404);
    same("ws: a route that is none of WebSockets", (await refused("/metrics")), 200);
    same("ws: a parameter that is no number", await refused("/close/x"), 400);
    same("ws: a page of another origin", await refused("/echo", {origin: "http://elsewhere.example"}), 403);
    same("ws: a version of the past", await refused("/echo", {protocolVersion: 8}), 426);
    const own = await open(ofWs({origin: `http://127.0.0.1:${port}`}), "/echo");
    same("ws: a page of the same origin", (await own.close(1000)).code, 1000);
    const allowed = await open(ofWs({origin: "http://elsewhere.example"}), "/open");
    same("ws: a page of an origin that may", (await allowed.close(1000)).code, 1000);
    const known = await open(ofWs({headers: {Authorization: "Bearer x"}}), "/guarded");
    same("ws: middleware lets it pass", await known.echo("in"), "in");
    await known.close();
}

// ---- clients that do not read, and a server that does not

/// Kilobytes in memory.
const memory = () => Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, "latin1"))[1]);
const letTheServerTurn = async () => {
    for (let i = 0; i < 50; ++i) await ask("GET", "/metrics");
};

async function trySlowClients() {
    const before = memory();
    const talk = await open(plainWs, "/pieces");
    talk.socket.pause();
    await letTheServerTurn();
    const grown = memory() - before;
    report("ws: 32 MiB for a client that does not read are not held", grown < 8 * 1024, `${grown} KiB more`);
    talk.socket.resume();
    let i = 0;
    for (; i < 512; ++i) {
        if ((await talk.next()) !== String.fromCharCode(97 + (i % 26)).repeat(65536)) break;
    }
    same("ws: and they come when it reads", [i, (await talk.end()).code], [512, 1000]);

    const flooded = await open(plainWs, "/flood");
    same("ws: more posts than may wait end a connection", (await flooded.end()).code, 1013);
    same("ws: and those that may wait come", `${flooded.inbox.length}`, await within(ask("GET", "/ends"), "the end"));
    const dropped = await open(plainWs, "/drop");
    dropped.socket.send("go on");
    let words = await dropped.next();
    for (i = 0; words?.startsWith("x"); ++i) words = await dropped.next();
    same("ws: or they are dropped", words, `${i} posted`);
    await dropped.end();
}

async function trySlowServer() {
    const before = memory();
    const talk = await open(plainWs, "/slow");
    const piece = Buffer.alloc(65536, "x");
    for (let i = 0; i < 512; ++i) talk.socket.send(piece);
    await letTheServerTurn();
    const grown = memory() - before;
    report("ws: a handler that does not read holds 32 MiB back", grown < 8 * 1024 && talk.socket.bufferedAmount > 1 << 24,
           `${grown} KiB more, ${talk.socket.bufferedAmount} bytes held back`);
    await ask("POST", "/read");
    talk.socket.send("how many?");
    same("ws: and reads them then", await talk.next(), `512 ${512 * 65536}`);
    await talk.end();
}

async function tryEnds() {
    const lost = await open(plainWs, "/told");
    lost.socket.terminate();
    same("ws: a connection that is cut is seen as 1006", await within(ask("GET", "/ends"), "the end"), "1006 ");
    const open200 = await Promise.all(Array.from({length: 200}, (_, i) => open(i % 2 ? plainWs : ofWs({}), routes[i % 5])));
    const metrics = await ask("GET", "/metrics");
    same("two hundred connections are counted", /^sake_connections\{state="websocket"\} (\d+)/m.exec(metrics)?.[1], "200");
    server.removeAllListeners("exit");
    const ended = once(server, "exit");
    server.kill("SIGTERM");
    const ends = await Promise.all(open200.map((talk) => talk.end()));
    const others = ends.filter(({code, reason}) => code !== 1001 || reason !== "the server is stopping");
    same("ws: a server that stops says so to all", others, []);
    same("the server ends with status 0", (await within(ended, "the server"))[0], 0);
    const errors = said.split("\n").filter((line) => line.includes(": error: ") && !line.includes("as it should"));
    same("it has logged no error", errors, []);
}

const clients = [["ws", plainWs, true], ["ws, compressed", ofWs({}), true],
                 ["ws, all compressed", ofWs({perMessageDeflate: {threshold: 0}}), true]];
const {WebSocket: OfUndici} = load(modulesOfUndici, "undici");
clients.push(["undici", (target, protocols) => new OfUndici(target, protocols), false]);
if (globalThis.WebSocket) {
    clients.push(["node", (target, protocols) => new globalThis.WebSocket(target, protocols), false]);
} else {
    console.log("skipped: this node has no WebSocket");
}
for (const client of clients) await tryAll(...client);
for (const part of [tryWindows, tryFragments, tryBadText, tryPings, tryRefusals, trySlowClients, trySlowServer, tryEnds]) {
    try {
        await part();
    } catch (error) {
        report(`${part.name} goes to its end`, false, error.stack);
    }
}
server.kill("SIGKILL");
process.exit(failures === 0 ? 0 : 1);
