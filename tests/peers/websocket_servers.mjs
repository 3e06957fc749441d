// The WebSocket client against servers of npm's ws, which compress in several ways.
//
//   node websocket_servers.mjs PROGRAM MODULES      the built websocket_talk.cpp, and the node_modules with ws

import {spawn} from "node:child_process";
import {once} from "node:events";
import http from "node:http";
import {createRequire} from "node:module";
import path from "node:path";

const [program, modules] = process.argv.slice(2);
const {WebSocketServer} = createRequire(path.resolve(modules) + "/")("ws");

const make = (options) => new WebSocketServer({noServer: true, perMessageDeflate: false, maxPayload: 1 << 21, ...options});
const echoes = {
    "/echo": make(),
    "/deflate": make({perMessageDeflate: true}),
    "/deflate-small": make({perMessageDeflate: {serverMaxWindowBits: 9, clientMaxWindowBits: 9, threshold: 0}}),
    "/deflate-fresh": make({perMessageDeflate: {serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0}}),
};
const others = make({handleProtocols: (offered) => (offered.has("chat.v2") ? "chat.v2" : false)});

const echo = (socket) => socket.on("message", (data, isBinary) => socket.send(data, {binary: isBinary}));

function sendPieces(socket) {
    for (const piece of ["a", "", "\u9152"]) {
        socket.send(piece, {fin: false});
        socket.ping(piece);
    }
    socket.send("z", {fin: true});
}

function serve(socket, target) {
    const closing = /^\/close\/(\d+)$/.exec(target);
    if (closing) socket.close(Number(closing[1]), "because \u9152");
    if (target === "/pieces") sendPieces(socket);
    if (target === "/proto") socket.send(socket.protocol);
}

const server = http.createServer();
server.on("upgrade", (request, connection, head) => {
    if (request.url === "/guarded") return connection.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const upgrading = echoes[request.url] ?? others;
    upgrading.handleUpgrade(request, connection, head, (socket) => {
        socket.on("error", () => {});
        if (echoes[request.url]) echo(socket);
        else serve(socket, request.url);
    });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const client = spawn(program, [`ws://127.0.0.1:${server.address().port}`, ...Object.keys(echoes)],
                     {stdio: ["ignore", "inherit", "inherit"], timeout: 150_000});
const [status] = await once(client, "exit");
console.log(status === 0 ? "ok the client ends with status 0" : `FAIL the client ends with status 0: ${status}`);
process.exit(status === 0 ? 0 : 1);
