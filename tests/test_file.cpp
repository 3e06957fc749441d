// read_file, write_file and open_file: files, whole and in pieces, without holding the loop.
#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <string>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/faults.hpp"
#include "support/reliability.hpp"

namespace test_file {

using harness::failure_of;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::FileReader;
using sake::open_file;
using sake::read_file;
using sake::spawn;
using sake::Task;
using sake::write_file;

namespace {

/// The name of a file that goes at the end.
struct TemporaryFile {
    TemporaryFile() {
        char name[] = "/tmp/sake-test-XXXXXX";
        const sake::detail::FileDescriptor made(::mkstemp(name));
        REQUIRE(made);
        path = name;
    }
    ~TemporaryFile() { ::unlink(path.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    std::string path;
};

}  // namespace

TEST_CASE("a pipe is refused at once, so that it holds no thread") {
    const TemporaryFile place;
    const std::string pipe = place.path + ".pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    in_coroutine([&]() -> Task<> {
        for (int i = 0; i < 10; ++i) {
            const std::string why = co_await failure_of(read_file(pipe));
            CHECK(why == pipe + " is a pipe: Invalid argument");
        }
    });
    ::unlink(pipe.c_str());
}

TEST_CASE("what is written is read, whole and piece by piece") {
    const TemporaryFile file;
    in_coroutine([&]() -> Task<> {
        for (const std::size_t size : {0U, 1U, 1000U, 1'000'000U}) {
            const std::string content = harness::pattern_bytes(size);
            co_await write_file(file.path, content);
            const std::string whole = co_await read_file(file.path);
            CHECK(whole == content);
            FileReader reader = co_await open_file(file.path);
            std::string pieces;
            for (;;) {
                const std::string piece = co_await reader.read(300'000);
                CHECK(piece.size() <= 300'000);
                if (piece.empty()) break;
                pieces += piece;
            }
            CHECK(pieces == content);
        }
        const std::string from_the_kernel = co_await read_file("/proc/self/status");
        CHECK(from_the_kernel.size() > 100);  // whose size is said to be 0
    });
}

TEST_CASE("a file may be as long as allowed, and not longer") {
    const TemporaryFile file;
    in_coroutine([&]() -> Task<> {
        co_await write_file(file.path, "0123456789");
        const std::string ten = co_await read_file(file.path, 10);
        CHECK(ten == "0123456789");
        const std::string why = co_await failure_of(read_file(file.path, 9));
        CHECK(why == file.path + ": the file is longer than 9 bytes");
    });
}

TEST_CASE("errors name the file") {
    in_coroutine([]() -> Task<> {
        const std::string absent = co_await failure_of(read_file("/nowhere/at/all"));
        CHECK(absent == "/nowhere/at/all: No such file or directory");
        const std::string folder = co_await failure_of(read_file("/tmp"));
        CHECK(folder == "/tmp: Is a directory");
        const std::string unwritten = co_await failure_of(write_file("/nowhere/at/all", "x"));
        CHECK(unwritten == "/nowhere/at/all: No such file or directory");
    });
}

TEST_CASE("a call that is cancelled is left to its thread, and the others go on") {
    std::atomic<bool> is_over{false};
    in_coroutine([&]() -> Task<> {
        auto blocks = [&] {
            is_over.wait(false);
            return std::string();
        };
        auto reading = spawn(failure_of(sake::detail::run_blocking<sake::detail::ForFiles>(blocks)));
        co_await let_the_others_run();
        reading.cancel();
        const std::string why = co_await reading;
        CHECK((why == "Cancelled"));
        const std::string others = co_await read_file("/proc/self/comm");
        CHECK_FALSE(others.empty());
        is_over = true;
        is_over.notify_all();
    });
}

TEST_CASE("a name with a NUL byte in it is refused, and no other file is touched") {
    const TemporaryFile file;
    const std::string name = file.path + std::string("\0.txt", 5);
    in_coroutine([&]() -> Task<> {
        co_await write_file(file.path, "as it was");
        const std::string expected = file.path + "\\0: a name with a NUL byte in it: Invalid argument";
        std::string why = co_await failure_of(read_file(name));
        CHECK(why == expected);
        why = co_await failure_of(write_file(name, "other"));
        CHECK(why == expected);
        why = co_await failure_of(open_file(name));
        CHECK(why == expected);
        const std::string content = co_await read_file(file.path);
        CHECK(content == "as it was");
    });
}

TEST_CASE("a file is read whole if the longest is the largest there is") {
    const TemporaryFile file;
    in_coroutine([&]() -> Task<> {
        co_await write_file(file.path, "content");
        const std::string content = co_await read_file(file.path, static_cast<std::size_t>(-1));
        CHECK(content == "content");
        FileReader reader = co_await open_file(file.path);
        std::string piece = co_await reader.read(static_cast<std::size_t>(-1));
        CHECK(piece == "content");
        piece = co_await reader.read(static_cast<std::size_t>(-1));
        CHECK(piece.empty());
    });
}

}  // namespace test_file
