// The server over wires that behave as TLS does: one that takes more from the transport than it hands out,
// and one whose sends wait for input. Everything in memory and in virtual time.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/reliability.hpp"

namespace test_wires {

using namespace harness;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::detail::FileDescriptor;
using sake::detail::Handler;
using sake::detail::make_memory_wires;
using sake::detail::memory_wire_capacity;
using sake::detail::MemoryWire;
using sake::detail::OwningPtr;
using sake::detail::Readiness;
using sake::detail::SimulatedPoller;
using sake::detail::Socket;
using sake::detail::SysResult;
using sake::detail::Watch;

namespace {

/// Does all that the wire in it does.
class WireAround : public sake::detail::Wire {
  public:
    explicit WireAround(OwningPtr<MemoryWire> wire) : inner(std::move(wire)) {}

    void attach(Watch& watch) noexcept override { inner->attach(watch); }
    SysResult receive(void* buffer, std::size_t size) noexcept override {
        return inner->receive(buffer, size);
    }
    SysResult send(const iovec* pieces, std::size_t count) noexcept override {
        return inner->send(pieces, count);
    }
    SysResult send_file(int file, std::uint64_t& offset, std::size_t count) noexcept override {
        return inner->send_file(file, offset, count);
    }
    [[nodiscard]] Readiness needs() const noexcept override { return inner->needs(); }
    [[nodiscard]] bool has_pending() const noexcept override { return inner->has_pending(); }
    [[nodiscard]] bool has_input() const noexcept override { return inner->has_input(); }
    [[nodiscard]] std::uint32_t unacknowledged() const noexcept override { return inner->unacknowledged(); }
    SysResult end_output() noexcept override { return inner->end_output(); }
    void reset() noexcept override { inner->reset(); }
    [[nodiscard]] std::string_view protocol() const noexcept override { return inner->protocol(); }

  protected:
    OwningPtr<MemoryWire> inner;
};

/// Takes all that there is, and hands out 16 bytes at a time; no event tells of the rest.
class Records final : public WireAround {
  public:
    using WireAround::WireAround;

    SysResult receive(void* buffer, std::size_t size) noexcept override {
        if (held_ == 0) {
            const SysResult result = inner->receive(bytes_, sizeof bytes_);
            if (!result.ok() || result.value == 0) return result;
            held_ = static_cast<std::size_t>(result.value);
        }
        const std::size_t count = std::min<std::size_t>({size, held_, 16});
        std::memcpy(buffer, bytes_, count);
        std::memmove(bytes_, bytes_ + count, held_ -= count);
        return {static_cast<ssize_t>(count), 0};
    }
    [[nodiscard]] bool has_pending() const noexcept override { return held_ > 0; }
    [[nodiscard]] bool has_input() const noexcept override { return held_ > 0 || inner->has_input(); }

  private:
    char bytes_[4096];
    std::size_t held_ = 0;
};

/// Can send once it has received one more byte, which is for itself.
class SendsAfterInput final : public WireAround {
  public:
    using WireAround::WireAround;

    SysResult send(const iovec* pieces, std::size_t count) noexcept override {
        char byte = 0;
        if (!may_send_) may_send_ = inner->receive(&byte, 1).value == 1;
        waits_for_input_ = !may_send_;
        return may_send_ ? inner->send(pieces, count) : SysResult{-1, EAGAIN};
    }
    [[nodiscard]] Readiness needs() const noexcept override {
        return waits_for_input_ ? sake::detail::readable : inner->needs();
    }

  private:
    bool may_send_ = false;
    bool waits_for_input_ = false;
};

/// A run that serves one connection over such a wire, and its client's end.
template <class W>
class Served {
  public:
    Served() : Served(OwningPtr<SimulatedPoller>(new SimulatedPoller), make_memory_wires()) {}

    void send(std::string_view bytes) { CHECK(socket_.send(bytes.data(), bytes.size()).ok()); }
    /// What has come, once the server has done all that it can do in this time.
    std::string receive_after(std::chrono::nanoseconds time = 0s) {
        time_.advance(time);
        char bytes[8192];
        const SysResult result = socket_.receive(bytes, sizeof bytes);
        if (result.ok() && result.value == 0) return "the end";
        if (result.error == ECONNRESET) return "a reset";
        return result.ok() ? std::string(bytes, static_cast<std::size_t>(result.value)) : "";
    }

  private:
    using Wires = std::pair<OwningPtr<MemoryWire>, OwningPtr<MemoryWire>>;
    Served(OwningPtr<sake::detail::SimulatedPoller> poller, Wires wires)
        : time_(*poller),
          run_(config_, frozen(table_, fallback_), errors_, observers_, hooks_, std::move(poller),
               sake::detail::Run::Signals::ignored),
          socket_(run_.reactor(), FileDescriptor(), std::move(wires.first)) {
        run_.serve(OwningPtr<W>(new W(std::move(wires.second))));
    }

    static const sake::detail::CountedPtr<sake::detail::RouteTable>& frozen(
        const sake::detail::CountedPtr<sake::detail::RouteTable>& table, sake::detail::Fallback& fallback) {
        table->add(table->root(), "POST", {"/echo", 0, __FILE__, __LINE__},
                   Handler([](Context& ctx) { ctx.text(ctx.body()); }));
        table->add(table->root(), "POST", {"/later", 0, __FILE__, __LINE__},
                   Handler([](Context& ctx) -> Task<> {
                       co_await sake::sleep(1s);
                       ctx.text(ctx.body());
                   }));
        fallback.install();
        table->freeze(false);
        return table;
    }

    sake::Config config_ = quiet_config();
    sake::detail::CountedPtr<sake::detail::RouteTable> table_{new sake::detail::RouteTable};
    Handler no_error_handler_;
    sake::detail::ErrorAnswers errors_{no_error_handler_, config_.log};
    sake::detail::Observers observers_;
    sake::detail::LifeHooks hooks_;
    sake::detail::Fallback fallback_{*table_};
    sake::detail::SimulatedPoller& time_;
    sake::detail::Run run_;
    Socket socket_;
};

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

TEST_CASE("what a wire holds back is read without another event, and the answer comes at once") {
    Served<Records> served;
    served.send(post_request("/echo", std::string(1000, 'x')));
    const std::string answer = served.receive_after(0s);
    CHECK(answer.substr(0, 15) == "HTTP/1.1 200 OK");
    CHECK(ends_with(answer, "\r\n\r\n" + std::string(1000, 'x')));
    // Many at once: the connection gives up its turn several times in between.
    std::string requests;
    for (int i = 0; i < 30; ++i) requests += post_request("/echo", std::to_string(i));
    served.send(requests);
    CHECK(count_of(served.receive_after(0s), "HTTP/1.1 200 OK") == 30);
    served.send(post_request("/later", "late"));
    CHECK(served.receive_after(0s).empty());
    CHECK(ends_with(served.receive_after(1s), "\r\n\r\nlate"));
}

TEST_CASE("what a wire holds back of a request that was refused does not keep the connection open") {
    Served<Records> served;
    served.send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n" + std::string(1000, 'x'));
    CHECK(served.receive_after(0s).substr(0, 12) == "HTTP/1.1 400");
    CHECK(served.receive_after(0s) == "the end");
}

TEST_CASE("a send that needs input waits for input, and for nothing else") {
    for (const char* path : {"/echo", "/later"}) {
        CAPTURE(path);
        Served<SendsAfterInput> served;
        served.send(post_request(path, "body"));
        CHECK(served.receive_after(0s).empty());
        CHECK(served.receive_after(2s).empty());
        served.send("!");
        CHECK(ends_with(served.receive_after(0s), "\r\n\r\nbody"));
        served.send(post_request("/echo", "again"));
        CHECK(ends_with(served.receive_after(0s), "\r\n\r\nagain"));
    }
}

TEST_CASE("a send that needs input that does not come ends with the deadline of the answer") {
    Served<SendsAfterInput> served;
    served.send(post_request("/echo", "body"));
    CHECK(served.receive_after(1s).empty());
    CHECK(served.receive_after(1h) == "a reset");
}

TEST_CASE("after an answer that had to wait for room, the connection waits for input again") {
    for (const std::size_t capacity : {std::size_t{7}, memory_wire_capacity}) {
        CAPTURE(capacity);
        const int exit_code =
            with_client([](sake::Engine&) {},
                        [&](TestClient& client) {
                            TestConnection slow = client.connect(capacity);
                            slow.send("GET /_ping HTTP/1.1\r\nHo");  // the rest does not come in time
                            CHECK(slow.receive_all().substr(0, 12) == "HTTP/1.1 408");
                            slow.half_close();  // seen at once, so the server closes, and a stop is clean
                            client.advance(0s);
                            CHECK(client.stop() == 0);
                        },
                        quiet_config().with_shutdown_grace(0ms));
        CHECK(exit_code == 0);
    }
}

}  // namespace test_wires
