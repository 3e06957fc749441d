// Fastify's program in the benchmarks (npm: fastify and @fastify/static, in the build directory), without its logger. Middleware is
// hooks, which come before the handler.
//
//     NODE_PATH=.../node_modules node fastify.js PORT
'use strict';

const app = require('fastify')();
const text = 'text/plain; charset=utf-8';
let passed = 0;

function hello(request, reply) {
    reply.type(text).send('Hello, World!');
}

app.addContentTypeParser('text/plain', { parseAs: 'buffer' }, (request, body, done) => done(null, body));

app.get('/', hello);
app.get('/json', {
    schema: { response: { 200: { type: 'object', properties: { message: { type: 'string' } } } } },
    handler: (request, reply) => reply.send({ message: 'Hello, World!' }),
});
app.get('/user/:id', (request, reply) => reply.type(text).send(request.params.id));
app.post('/echo', (request, reply) => reply.type(text).send(request.body));
app.register(require('@fastify/static'), { root: require('path').dirname(process.env.MEBIBYTE), prefix: '/files/' });
for (let i = 1; i <= 100; ++i) app.get(`/route/${i}`, hello);
app.register(async (plain) => {
    for (let i = 0; i < 10; ++i) {
        plain.addHook('preHandler', (request, reply, done) => {
            ++passed;
            done();
        });
    }
    plain.get('/plain/hello', hello);
});
app.get('/sleep/:ms', (request, reply) => {
    setTimeout(() => reply.type(text).send('awake'), Number(request.params.ms));
});

app.server.keepAliveTimeout = 75000;
app.listen({ port: Number(process.argv[2] ?? 8080), host: '127.0.0.1', backlog: 4096 });
