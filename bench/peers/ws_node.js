// The npm package ws on Node in the benchmarks of WebSockets: /echo, /topic and /publish as in ws_server.cpp.
// It has no topics: what is published is sent to each in a loop, of one frame made beforehand.
//
//     NODE_PATH=... node ws_node.js PORT
'use strict';

const http = require('http');
const { Sender, WebSocketServer } = require('ws');

const subscribers = new Set();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

function publish(data) {
  const frame = Sender.frame(data, { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false });
  for (const each of subscribers) {
    each.cork();
    for (const part of frame) each.write(part);
    each.uncork();
  }
}

const serve = {
  '/echo': (socket) => socket.on('message', (data) => socket.send(data, { binary: false })),
  '/topic': (socket, stream) => {
    subscribers.add(stream);
    socket.on('close', () => subscribers.delete(stream));
  },
  '/publish': (socket) => socket.on('message', publish),
};

const server = http.createServer((request, response) => response.end('Hello, World!'));
server.on('upgrade', (request, stream, head) => {
  stream.setNoDelay(true);
  sockets.handleUpgrade(request, stream, head, (socket) => {
    socket.on('error', () => {});
    serve[request.url](socket, stream);
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1', 4096);
