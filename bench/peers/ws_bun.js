// Bun's WebSockets in the benchmarks, which are uWebSockets inside: /echo, /topic and /publish as in
// ws_server.cpp.
//
//     bun ws_bun.js PORT

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    const path = new URL(request.url).pathname;
    if (server.upgrade(request, { data: path })) return undefined;
    return new Response('Hello, World!');
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      if (socket.data === '/topic') socket.subscribe('topic');
    },
    message(socket, data) {
      if (socket.data === '/echo') socket.send(data);
      if (socket.data === '/publish') server.publish('topic', data);
    },
  },
});
