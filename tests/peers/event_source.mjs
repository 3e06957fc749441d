// Event streams as others read them: npm's eventsource and undici's EventSource against examples/events.cpp,
// over lost connections and over restarts of the server. No message that the server still has may be missed.
//
//   node event_source.mjs PROGRAM MODULES      the built example, and the node_modules with both packages

import {spawn} from "node:child_process";
import {once} from "node:events";
import net from "node:net";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";
import path from "node:path";

const [program, modules] = process.argv.slice(2);
const require = createRequire(path.resolve(modules) + "/");
const patience = 30_000;
let failures = 0;

const report = (name, holds, otherwise = "") => {
    if (!holds) ++failures;
    console.log(holds ? `ok ${name}` : `FAIL ${name}: ${otherwise}`);
};

const until = async (fact, what) => {
    const end = Date.now() + patience;
    while (!fact()) {
        if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
};

/// The example on a port; 0 is any.
async function startServer(port) {
    const child = spawn(program, [`127.0.0.1:${port}`], {stdio: ["ignore", "ignore", "pipe"]});
    let said = "";
    child.stderr.on("data", (bytes) => (said += bytes));
    await until(() => /listening on http:\/\/127\.0\.0\.1:\d+\//.test(said), "the server");
    const server = {child, port: Number(/127\.0\.0\.1:(\d+)\//.exec(said)[1])};
    server.end = async (signal) => {
        const ended = once(child, "exit");
        child.kill(signal);
        return (await ended)[0];
    };
    server.publish = async (text) => {
        const response = await fetch(`http://127.0.0.1:${server.port}/messages`, {method: "POST", body: text});
        if (response.status !== 202) throw new Error(`a message was answered with ${response.status}`);
        await response.arrayBuffer();
    };
    return server;
}

/// Carries connections to a port that may change, and cuts them when it is told to.
async function startProxy() {
    const proxy = {target: 0, sockets: new Set()};
    const listener = net.createServer((client) => {
        const server = net.connect(proxy.target, "127.0.0.1");
        for (const [one, other] of [[client, server], [server, client]]) {
            proxy.sockets.add(one);
            one.on("error", () => {});
            one.on("close", () => {
                proxy.sockets.delete(one);
                other.destroy();
            });
            one.pipe(other);
        }
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    proxy.port = listener.address().port;
    proxy.cut = () => proxy.sockets.forEach((socket) => socket.destroy());
    proxy.close = () => {
        listener.close();
        proxy.cut();
    };
    return proxy;
}

/// What an EventSource of this kind has seen.
function listen(EventSource, url) {
    const seen = {texts: [], stale: 0, opened: 0};
    seen.source = new EventSource(url);
    seen.source.onopen = () => ++seen.opened;
    seen.source.onmessage = (event) => seen.texts.push(event.data);
    seen.source.addEventListener("stale", () => ++seen.stale);
    return seen;
}

async function check(name, EventSource) {
    let server = await startServer(0);
    const proxy = await startProxy();
    proxy.target = server.port;
    const seen = listen(EventSource, `http://127.0.0.1:${proxy.port}/events`);
    const expected = [];
    const publish = async (count) => {
        for (let i = 0; i < count; ++i) {
            const text = `${expected.length}\nand a second line`;
            await server.publish(text);
            expected.push(text);
        }
    };
    const allSeen = () => until(() => seen.texts.length >= expected.length, `${expected.length} messages`);
    const same = () => JSON.stringify(seen.texts) === JSON.stringify(expected);
    const found = () => `${seen.texts.length} of ${expected.length} messages, ${seen.stale} stale`;

    await until(() => seen.opened === 1, "the stream");
    await publish(20);
    await allSeen();
    report(`${name}: messages arrive, in their order`, same() && seen.stale === 0, found());

    for (let i = 0; i < 3; ++i) {
        proxy.cut();
        await publish(20);  // while nobody listens
    }
    await allSeen();
    report(`${name}: what was published while a connection was lost arrives`, same() && seen.stale === 0, found());

    for (const signal of ["SIGTERM", "SIGKILL"]) {
        const {port} = server;
        const staleBefore = seen.stale;
        const status = await server.end(signal);
        server = await startServer(port);
        await publish(20);  // some before the client has come again
        const opened = seen.opened;
        await until(() => seen.opened > opened || seen.texts.length > expected.length - 20, "the client");
        await publish(20);
        await allSeen();
        report(`${name}: after ${signal} and a new start, no message of the new run is missed`, same(), found());
        report(`${name}: and the client is told that some of the old may be`, seen.stale === staleBefore + 1, found());
        if (signal === "SIGTERM") report(`${name}: the server ended with status 0`, status === 0, `status ${status}`);
    }
    seen.source.close();
    proxy.close();
    await server.end("SIGTERM");
}

for (const name of ["eventsource", "undici"]) {
    const {EventSource} = await import(pathToFileURL(require.resolve(name)).href).then((module) =>
        module.EventSource ? module : module.default);
    await check(name, EventSource);
}
process.exit(failures === 0 ? 0 : 1);
