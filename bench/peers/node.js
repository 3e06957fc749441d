// Node's program in the benchmarks: the http module alone, no framework. It has no router, so the paths are
// compared by hand, and no static files: the mebibyte is in memory.
//
//     node node.js PORT
'use strict';

const text = 'text/plain; charset=utf-8';

const mebibyte = require('fs').readFileSync(process.env.MEBIBYTE);
const routes = new Set(Array.from({ length: 100 }, (_, i) => `/route/${i + 1}`));

function answer(url) {
    if (url === '/' || routes.has(url)) return ['Hello, World!', text];
    if (url === '/json') return [JSON.stringify({ message: 'Hello, World!' }), 'application/json'];
    if (url === '/files/mebibyte') return [mebibyte, 'application/octet-stream'];
    if (url.startsWith('/user/')) return [url.slice('/user/'.length), text];
    return null;
}

function send(response, status, body, type) {
    response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
}

function echo(request, response) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => send(response, 200, Buffer.concat(parts), text));
}

const server = require('http').createServer((request, response) => {
    if (request.url.startsWith('/sleep/')) {
        setTimeout(send, Number(request.url.slice('/sleep/'.length)), response, 200, 'awake', text);
        return;
    }
    if (request.method === 'POST') {
        echo(request, response);
        return;
    }
    const found = answer(request.url);
    if (found) send(response, 200, ...found);
    else send(response, 404, 'Not Found', text);
});

server.keepAliveTimeout = 75000;
server.listen({ port: Number(process.argv[2] ?? 8080), host: '127.0.0.1', backlog: 4096 });
