// Engine: what a program makes, gives routes to, and runs.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/config.hpp"
#include "sake/app/route.hpp"
#include "sake/server/serving.hpp"
#include "sake/worker/pool_carrier.hpp"

namespace sake {
inline namespace v0 {

/// A web server: routes, middleware and settings, and the loop that serves them. An ordinary object: many may
/// live in one process, and each may be run again after it has stopped. Routes are registered before it runs;
/// `stop` may be called from any thread, everything else belongs to one.
class Engine : public detail::Verbs<Engine, detail::PatternUse::route> {
  public:
    /// Throws std::invalid_argument naming a field that makes no sense.
    explicit Engine(Config config = {}) : config_(std::move(config)), errors_(on_error_, config_.log) {
        detail::validate(config_);
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Routes under a prefix, with middleware of their own.
    [[nodiscard]] RouterGroup group(detail::GroupPrefix prefix) {
        return {*table_, table_->add_scope(table_->root(), prefix.info())};
    }

    /// Answers where no route has the path. The status is 404 unless the handler sets another.
    template <class F>
    Engine& not_found(F&& handler) {
        static_assert(detail::handler_param_count<F> == 0,
                      "not_found: there is no pattern, so the handler takes no path parameters");
        table_->require_unfrozen();
        not_found_ = detail::Handler(std::forward<F>(handler));
        return *this;
    }

    /// Answers where a handler threw; the answer that would be sent is set already. The handler is not a
    /// coroutine and takes (Context&), (Context&, const std::exception&) or (Context&, std::exception_ptr).
    template <class F>
    Engine& on_error(F&& handler) {
        table_->require_unfrozen();
        on_error_ = detail::make_error_handler(std::forward<F>(handler));
        return *this;
    }

    /// Binds now: "host:port", ":8080" for every interface, "[::1]:8080", "unix:/path"; port 0 for any that
    /// is free. Throws std::system_error that names the address and says why. May be called several times;
    /// while the engine runs, it is for the next run.
    Engine& listen(std::string_view address) {
        detail::Listener listener = detail::listen_at(address, config_.listen_backlog);
        const std::lock_guard lock(mutex_);
        if (listeners_.empty()) port_ = listener.port;
        listeners_.push_back(std::move(listener));
        return *this;
    }

    /// The port of the first listener; 0 before `listen` and for a Unix socket.
    [[nodiscard]] int port() const {
        const std::lock_guard lock(mutex_);
        return port_;
    }

    /// Serves until stopped. Returns 0 if every request in flight was answered, else 1. Throws
    /// std::logic_error if nothing was listened on, or if the engine runs already.
    int run();
    /// listen(":port") and run().
    int run(int port) {
        if (port < 0 || port > 65'535) throw std::invalid_argument("run: the port must be 0 to 65535");
        return run(":" + std::to_string(port));
    }
    /// listen(address) and run().
    int run(std::string_view address) {
        listen(address);
        return run();
    }

    /// Stops gracefully: no new connections, what is in flight is answered, then run() returns. From any
    /// thread or handler, any number of times; before run(), it makes the next run() return at once.
    void stop() {
        const std::lock_guard lock(mutex_);
        stop_requested_ = true;
        if (serving_ != nullptr) serving_->stop();
    }

    /// Figures of the present run, or of the last one. From any thread.
    struct Stats {
        WorkerPool::Stats workers;
        std::uint64_t stalls = 0;  // how often a handler held the reactor's thread for Config::stall_warning
    };
    [[nodiscard]] Stats stats() const {
        const std::lock_guard lock(mutex_);
        return serving_ != nullptr ? stats_of(*serving_) : last_stats_;
    }

    [[nodiscard]] const Config& config() const noexcept { return config_; }

  private:
    friend class detail::Verbs<Engine, detail::PatternUse::route>;
    [[nodiscard]] detail::RouteTable& table() noexcept { return *table_; }
    [[nodiscard]] detail::Scope& scope() noexcept { return table_->root(); }

    static Stats stats_of(const detail::Serving& serving) {
        return {serving.worker_stats(), serving.stalls()};
    }
    bool answer_other_method(Context& ctx) const;
    void set_fallback();

    Config config_;
    detail::Handler on_error_;
    detail::Handler not_found_;
    detail::ErrorAnswers errors_;
    // Shared with jobs of the worker pool: one that never returns may outlive the engine.
    std::shared_ptr<detail::RouteTable> table_ = std::make_shared<detail::RouteTable>();

    mutable std::mutex mutex_;  // guards what follows
    std::vector<detail::Listener> listeners_;
    int port_ = 0;
    detail::Serving* serving_ = nullptr;
    Stats last_stats_;
    bool is_running_ = false;
    bool stop_requested_ = false;
};

inline int Engine::run() {
    std::vector<detail::Listener> listeners;
    {
        const std::lock_guard lock(mutex_);
        if (is_running_) throw std::logic_error("run: the engine runs already");
        listeners.swap(listeners_);
        if (std::exchange(stop_requested_, false)) return 0;
        if (listeners.empty()) throw std::logic_error("run: call listen first, or run(port)");
        is_running_ = true;
    }
    const detail::AtExit ended([this] {
        const std::lock_guard lock(mutex_);
        table_->unfreeze();
        is_running_ = false;
        stop_requested_ = false;
    });
    if (table_.use_count() > 1) throw std::logic_error("run: a worker job of the last run has not returned");
    set_fallback();
    table_->freeze(config_.enable_worker_pool);
    detail::Serving serving(config_, table_, errors_, std::move(listeners));
    {
        const std::lock_guard lock(mutex_);
        serving_ = &serving;
        if (stop_requested_) serving.stop();
    }
    const detail::AtExit unreachable([this] {
        const std::lock_guard lock(mutex_);
        last_stats_ = stats_of(*serving_);
        serving_ = nullptr;
    });
    return serving.run();
}

// Where no route takes the method: 501 if none on any path does and it is no common one (RFC 9110
// section 9.1), else 405 or the answer to OPTIONS, both with Allow. False if no route has the path at all.
inline bool Engine::answer_other_method(Context& ctx) const {
    const detail::Request& request = detail::ContextAccess::request(ctx);
    if (request.head.method == http::Method::other && !table_->has_method(request.method())) {
        detail::ContextAccess::response(ctx).set_problem(501, "this method is not known here");
        return true;
    }
    const bool is_about_server = request.path() == "*";
    std::string allow;
    for (const std::string& method :
         is_about_server ? table_->methods() : table_->router().allowed(request.match_path())) {
        allow.append(allow.empty() ? "" : ", ").append(method);
    }
    if (allow.empty()) return false;
    ctx.set_header("Allow", allow);
    if (request.head.method == http::Method::options) {
        ctx.no_content();
    } else {
        // Without the method's name, since a HEAD is told how long the answer to a GET is.
        detail::ContextAccess::response(ctx).set_problem(405, "this resource does not take this method");
    }
    return true;
}

inline void Engine::set_fallback() {
    if (not_found_.is_coroutine()) {
        table_->set_fallback(detail::Handler([this](Context& ctx) -> Task<> {
            if (answer_other_method(ctx)) co_return;
            ctx.status(404);
            co_await not_found_.call_coroutine(ctx);
        }));
        return;
    }
    Route& fallback = table_->set_fallback(detail::Handler([this](Context& ctx) {
        if (answer_other_method(ctx)) return;
        if (not_found_) {
            ctx.status(404);
            not_found_.call(ctx);
        } else {
            detail::ContextAccess::response(ctx).set_problem(404, "there is nothing at this path");
        }
    }));
    fallback.set_reads_body(static_cast<bool>(not_found_));
}

}  // namespace v0
}  // namespace sake
