// Sake: a C++20 web framework in one header. This umbrella names the parts in order, lower floors first;
// programs include it or, better, the single header made from it. A whole program:
//
//     #include "sake.hpp"
//
//     int main() {
//         sake::Engine app;
//         app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
//         app.get("/users/:id", [](sake::Context& ctx, int id) { ctx.json({{"id", id}}); });
//         app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
//             co_await sake::sleep(std::chrono::milliseconds(100));
//             ctx.text("awake");
//         });
//         return app.run(8080);
//     }
#pragma once

#include "sake/base/version.hpp"

#include "sake/base/platform.hpp"

#include "sake/base/budget.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_reader.hpp"
#include "sake/base/json_tagged.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/log.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/base/text.hpp"

#include "sake/http/cookie.hpp"
#include "sake/http/date.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/message.hpp"
#include "sake/http/mime.hpp"
#include "sake/http/slice.hpp"
#include "sake/http/uri.hpp"

#include "sake/http1/chunked.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/head_parser.hpp"
#include "sake/http1/request_parser.hpp"
#include "sake/http1/response_parser.hpp"
#include "sake/http1/writer.hpp"

#include "sake/async/channel.hpp"
#include "sake/async/channel_gate.hpp"
#include "sake/async/children.hpp"
#include "sake/async/combinators.hpp"
#include "sake/async/descriptor.hpp"
#include "sake/async/event.hpp"
#include "sake/async/poller.hpp"
#include "sake/async/poller_epoll.hpp"
#include "sake/async/poller_kqueue.hpp"
#include "sake/async/poller_poll.hpp"
#include "sake/async/pool.hpp"
#include "sake/async/posted_work.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/reactor_locals.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/spawn.hpp"
#include "sake/async/sync.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/task.hpp"
#include "sake/async/timer.hpp"
#include "sake/async/wait.hpp"
#include "sake/async/watch.hpp"

#include "sake/compute/background.hpp"
#include "sake/compute/batches.hpp"
#include "sake/compute/cpu_count.hpp"
#include "sake/compute/crew.hpp"
#include "sake/compute/invoke.hpp"
#include "sake/compute/parallel.hpp"
#include "sake/compute/pipeline.hpp"
#include "sake/compute/pipeline_queue.hpp"
#include "sake/compute/signals.hpp"
#include "sake/compute/stream.hpp"
#include "sake/compute/stream_stages.hpp"
#include "sake/compute/thread.hpp"
#include "sake/compute/worker_pool.hpp"

#include "sake/io/address.hpp"
#include "sake/io/connect.hpp"
#include "sake/io/file.hpp"
#include "sake/io/tcp_listener.hpp"
#include "sake/io/tcp_stream.hpp"

#include "sake/app/bind.hpp"
#include "sake/app/carrier.hpp"
#include "sake/app/chain.hpp"
#include "sake/app/config.hpp"
#include "sake/app/context.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/problem.hpp"
#include "sake/app/request.hpp"
#include "sake/app/response.hpp"
#include "sake/app/route.hpp"
#include "sake/app/router.hpp"

#include "sake/worker/bridge.hpp"
#include "sake/worker/document.hpp"
#include "sake/worker/pool_carrier.hpp"

#include "sake/client/client.hpp"
#include "sake/client/client_connections.hpp"
#include "sake/client/client_request.hpp"
#include "sake/client/client_response.hpp"
#include "sake/client/url.hpp"

#include "sake/server/connection.hpp"
#include "sake/server/connection_turns.hpp"
#include "sake/server/deadlines.hpp"
#include "sake/server/engine.hpp"
#include "sake/server/exchange.hpp"
#include "sake/server/input.hpp"
#include "sake/server/output.hpp"
#include "sake/server/rate_limit.hpp"
#include "sake/server/server.hpp"
#include "sake/server/serving.hpp"
#include "sake/server/signals.hpp"
#include "sake/server/transport.hpp"
