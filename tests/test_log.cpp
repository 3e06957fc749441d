// Log lines: what the default sink writes, and that nothing in a text can forge a line.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_log {

using namespace std::string_view_literals;
using sake::LogLevel;
using sake::detail::FileDescriptor;

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    sake::append_escaped(out, text);
    return out;
}

/// Standard error is a given descriptor for as long as this lives. No assertions meanwhile: doctest writes
/// too.
class StderrIs {
  public:
    explicit StderrIs(int fd) : previous_(::dup(STDERR_FILENO)) { ::dup2(fd, STDERR_FILENO); }
    ~StderrIs() { ::dup2(previous_.get(), STDERR_FILENO); }
    StderrIs(const StderrIs&) = delete;
    StderrIs& operator=(const StderrIs&) = delete;

  private:
    FileDescriptor previous_;
};

std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
        const auto result = sake::detail::sys::read(fd, buffer, sizeof buffer);
        if (!result.ok() || result.value == 0) return text;
        text.append(buffer, static_cast<std::size_t>(result.value));
    }
}

/// What `f` writes to standard error; it must fit into a pipe.
template <class F>
std::string stderr_of(F f) {
    auto [reader, writer] = sake::detail::sys::make_pipe();
    {
        const StderrIs captured(writer.get());
        f();
    }
    return read_all(reader.get());
}

}  // namespace

TEST_CASE("every log level has its name") {
    CHECK(sake::to_string(LogLevel::info) == "info");
    CHECK(sake::to_string(LogLevel::warning) == "warning");
    CHECK(sake::to_string(LogLevel::error) == "error");
    static_assert(sake::to_string(LogLevel::error) == "error");
}

TEST_CASE("P6: of all byte values exactly the controls and DEL are escaped in a log text") {
    constexpr std::string_view hex = "0123456789abcdef";
    for (unsigned byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const std::string one(1, static_cast<char>(byte));
        const bool control = byte < 0x20 || byte == 0x7f;
        CHECK(escaped(one) == (control ? std::string("\\x") + hex[byte >> 4] + hex[byte & 15] : one));
    }
}

TEST_CASE("escaping appends, and leaves what was there alone") {
    std::string out = "a\nb ";
    sake::append_escaped(out, "c\r\nd\x1b[31m\0e"sv);
    CHECK(out == "a\nb c\\x0d\\x0ad\\x1b[31m\\x00e");
    CHECK(escaped("").empty());
    CHECK(escaped("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
}

TEST_CASE("the default sink writes one line a text, with its level unless it is info") {
    const std::string written = stderr_of([] {
        sake::log_to_stderr(LogLevel::info, "listening");
        sake::log_to_stderr(LogLevel::warning, "slow");
        sake::log_to_stderr(LogLevel::error, "lost");
        sake::log_to_stderr(LogLevel::info, "");
    });
    CHECK(written == "sake: listening\nsake: warning: slow\nsake: error: lost\nsake: \n");
}

TEST_CASE("a line feed in a text cannot begin a line of its own") {
    const std::string written =
        stderr_of([] { sake::log_to_stderr(LogLevel::info, "GET /\nsake: error: forged\r\n"); });
    CHECK(written == "sake: GET /\\x0asake: error: forged\\x0d\\x0a\n");
}

TEST_CASE("lines of several threads do not mix") {
    constexpr int lines = 20;  // of 51 bytes, four threads: they fit into a pipe
    const std::string written = stderr_of([] {
        std::vector<std::thread> threads;
        for (const char letter : {'a', 'b', 'c', 'd'}) {
            threads.emplace_back([letter] {
                for (int i = 0; i < lines; ++i) sake::log_to_stderr(LogLevel::info, std::string(44, letter));
            });
        }
        for (auto& thread : threads) thread.join();
    });
    REQUIRE(std::count(written.begin(), written.end(), '\n') == 4 * lines);
    for (std::size_t at = 0; at < written.size(); at += 51) {
        const std::string_view line = std::string_view(written).substr(at, 51);
        CHECK(line == "sake: " + std::string(44, line[6]) + "\n");
    }
}

TEST_CASE("what is logged quietly is one line, with the reason escaped") {
    std::vector<std::string> lines;
    const sake::LogSink sink = [&](LogLevel level, std::string_view text) {
        lines.push_back(std::string(sake::to_string(level)) + "|" + std::string(text));
    };
    sake::log_quietly(sink, LogLevel::warning, "it failed: ", "two\nlines");
    CHECK(lines == std::vector<std::string>{"warning|it failed: two\\x0alines"});
}

TEST_CASE("a sink that throws, or that is none, loses the line and nothing else") {
    int calls = 0;
    const sake::LogSink throws = [&](LogLevel, std::string_view) {
        ++calls;
        throw std::runtime_error("the disk is full");
    };
    sake::log_quietly(throws, LogLevel::error, "a", "b");
    sake::log_quietly(sake::LogSink(), LogLevel::error, "a", "b");
    static_assert(noexcept(sake::log_quietly(throws, LogLevel::error, "a", "b")));
    CHECK(calls == 1);
}

TEST_CASE("F6 a closed standard error loses the line and nothing else") {
    FileDescriptor previous(::dup(STDERR_FILENO));
    ::close(STDERR_FILENO);
    sake::log_to_stderr(LogLevel::error, "nobody hears this");
    ::dup2(previous.get(), STDERR_FILENO);
    const std::string written = stderr_of([] { sake::log_to_stderr(LogLevel::info, "back"); });
    CHECK(written == "sake: back\n");
}

TEST_CASE("F6 a full standard error loses the line and nothing else") {
    auto [reader, writer] = sake::detail::sys::make_pipe();
    const std::string block(4096, 'x');
    while (sake::detail::sys::write(writer.get(), block.data(), block.size()).ok()) {
    }
    {
        const StderrIs full(writer.get());
        sake::log_to_stderr(LogLevel::error, "no room for this");
    }
    const std::string held = read_all(reader.get());
    CHECK_FALSE(held.empty());
    CHECK(held.find_first_not_of('x') == std::string::npos);
    CHECK(stderr_of([] { sake::log_to_stderr(LogLevel::info, "room again"); }) ==
          "sake: warning: 1 line of the log was lost: standard error was full\nsake: room again\n");
}

TEST_CASE("F6 a standard error whose reader has gone loses the line and raises no SIGPIPE") {
    // The suite keeps the default action of SIGPIPE, which ends the process.
    auto [reader, writer] = sake::detail::sys::make_pipe();
    reader.close();
    sigset_t before;
    REQUIRE(::pthread_sigmask(SIG_SETMASK, nullptr, &before) == 0);
    {
        const StderrIs broken(writer.get());
        sake::log_to_stderr(LogLevel::error, "the reader has gone");
        sake::log_to_stderr(LogLevel::error, "twice");
    }
    sigset_t after;
    REQUIRE(::pthread_sigmask(SIG_SETMASK, nullptr, &after) == 0);
    CHECK(::sigismember(&after, SIGPIPE) == ::sigismember(&before, SIGPIPE));
    sigset_t pending;
    REQUIRE(::sigpending(&pending) == 0);
    CHECK(::sigismember(&pending, SIGPIPE) == 0);
}

TEST_CASE("a SIGPIPE that the program ignores or holds back stays as it is") {
    auto pipe = sake::detail::sys::make_pipe();
    pipe.first.close();
    const auto log_into_broken_pipe = [&] {
        const StderrIs broken(pipe.second.get());
        sake::log_to_stderr(LogLevel::error, "the reader has gone");
    };
    const auto old_handler = ::signal(SIGPIPE, SIG_IGN);
    log_into_broken_pipe();  // must not wait for a signal that never comes
    ::signal(SIGPIPE, old_handler);

    sigset_t sigpipe, previous, pending;
    ::sigemptyset(&sigpipe);
    ::sigaddset(&sigpipe, SIGPIPE);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &sigpipe, &previous) == 0);
    REQUIRE(::pthread_kill(::pthread_self(), SIGPIPE) == 0);
    log_into_broken_pipe();
    ::sigpending(&pending);
    const bool still_pending = ::sigismember(&pending, SIGPIPE) == 1;
    int taken = 0;
    if (still_pending) ::sigwait(&sigpipe, &taken);
    ::pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    CHECK(still_pending);  // it was the program's own
}

}  // namespace test_log
