// Files over real sockets: sent by the system, head and file in one packet, cut where the file is cut, and
// nobody is held up meanwhile.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/faults.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"
#include "support/temporary_directory.hpp"

namespace test_file_sockets {

using namespace harness;
using sake::Engine;

namespace {

constexpr std::size_t large = 20'000'000;

std::string request_for(std::string_view path, std::string_view fields = "") {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

/// A file of that size without content, which costs no disk.
void make_sparse(const std::string& path, std::size_t size) {
    const sake::detail::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::ftruncate(file.get(), static_cast<off_t>(size)) == 0);
}

}  // namespace

TEST_CASE("a file arrives whole over a socket, alone and in parts, and the connection goes on") {
    const TemporaryDirectory place;
    const std::string content = pattern_bytes(3'000'000);
    place.write("f", content);
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    for (int i = 0; i < 3; ++i) {
                        client.send(request_for("/f"));
                        CHECK((client.read_response().body == content));
                        client.send(request_for("/f", "Range: bytes=1000000-2999998\r\n"));
                        CHECK((client.read_response().body == content.substr(1'000'000, 1'999'999)));
                    }
                    client.send(request_for("/f", "Range: bytes=0-999999, 2000000-2999999\r\n"));
                    const std::string parts = client.read_response().body;
                    CHECK(parts.find(content.substr(0, 1'000'000)) != std::string::npos);
                    CHECK(parts.find(content.substr(2'000'000)) != std::string::npos);
                });
}

TEST_CASE("a file is sent by the system, and its head says that more follows") {
    const TemporaryDirectory place;
    place.write("f", pattern_bytes(65'536));
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    client.send(request_for("/f"));
                    CHECK(client.read_response().body.size() == 65'536);
                    faults::reset_calls();
                    client.send(request_for("/f"));
                    CHECK(client.read_response().body.size() == 65'536);
                    CHECK(faults::calls("send") + faults::calls("sendmsg") == 1);
                    CHECK(faults::calls("sendfile") >= 1);
                    CHECK(faults::calls("pread") == 0);
                });
}

TEST_CASE("a file arrives whole where calls are interrupted and cut short") {
    const TemporaryDirectory place;
    const std::string content = pattern_bytes(300'000);
    place.write("f", content);
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    const ScopedFaults active(FaultPlan(5)
                                                  .short_io("sendfile", 0.5, 1000)
                                                  .fail_randomly("sendfile", 0.2, EAGAIN)
                                                  .fail_randomly("sendfile", 0.1, EINTR)
                                                  .short_io("send", 0.5, 20)
                                                  .fail_randomly("send", 0.2, EAGAIN)
                                                  .short_io("sendmsg", 0.5, 20));
                    RawClient client = server.connect();
                    for (int i = 0; i < 5; ++i) {
                        client.send(request_for("/f"));
                        CHECK((client.read_response().body == content));
                        client.send(request_for("/f", "Range: bytes=0-99999, 200000-299999\r\n"));
                        const std::string parts = client.read_response().body;
                        CHECK(parts.find(content.substr(200'000)) != std::string::npos);
                    }
                });
}

TEST_CASE("where the system cannot send a file by itself, it is copied") {
    const TemporaryDirectory place;
    const std::string content = pattern_bytes(300'000);
    place.write("f", content);
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    const ScopedFaults active(FaultPlan().fail_range("sendfile", 1, 1'000'000, EINVAL));
                    RawClient client = server.connect();
                    client.send(request_for("/f"));
                    CHECK((client.read_response().body == content));
                });
}

TEST_CASE(
    "a file that is on a disk is waited for in small pieces, and one in memory is not asked about twice") {
    const TemporaryDirectory place;
    const std::string content = pattern_bytes(3'000'001);
    place.write("f", content);
    place.write("small", content.substr(0, 65'536));
    place.write("medium", content.substr(0, 65'537));
    place.write("large", content.substr(0, 524'288));
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    const auto ask = [&](std::string_view path) {
                        faults::reset_calls();
                        client.send(request_for(path));
                        return client.read_response().body;
                    };
                    CHECK((ask("/small") == content.substr(0, 65'536)));
                    CHECK(faults::calls("preadv2") == 0);
                    CHECK((ask("/large") == content.substr(0, 524'288)));
                    for (const int error : {EAGAIN, EOPNOTSUPP, ENOSYS, EIO}) {
                        CAPTURE(error);
                        const bool waits = error == EAGAIN;
                        const ScopedFaults active(FaultPlan().fail_range("preadv2", 1, 1'000'000, error));
                        CHECK((ask("/f") == content));
                        if (waits) CHECK(faults::calls("sendfile") >= 3'000'000 / 65'536);
                        CHECK((ask("/small") == content.substr(0, 65'536)));
                        CHECK(faults::calls("preadv2") == 0);
                        CHECK((ask("/medium") == content.substr(0, 65'537)));
                        CHECK(faults::calls("preadv2") >= 1);
                    }
                    // Some of it is in memory, and a socket takes what it likes.
                    const ScopedFaults active(FaultPlan(3)
                                                  .fail_nth("preadv2", 2, EAGAIN)
                                                  .fail_nth("preadv2", 4, EAGAIN)
                                                  .fail_nth("preadv2", 5, EAGAIN)
                                                  .short_io("sendfile", 0.5, 50'000)
                                                  .fail_randomly("sendfile", 0.2, EAGAIN));
                    CHECK((ask("/f") == content));
                });
}

TEST_CASE("of a file that is in memory in parts, only those parts are sent without waiting for a disk") {
    struct Case {
        std::uint64_t begin;  // of what is on the disk only
        std::uint64_t end;
        std::uint64_t longest;  // piece that is sent at a time
    };
    constexpr std::uint64_t size = 512 * 1024;
    constexpr std::uint64_t step = 64 * 1024;
    const TemporaryDirectory place;
    const std::string content = pattern_bytes(size);
    place.write("f", content);
    with_server(
        [&](Engine& app) { app.static_files("/", place.path()); },
        [&](TestServer& server) {
            RawClient client = server.connect();
            for (const Case& each : {Case{size, size + 1, size}, Case{0, size, step},
                                     Case{0, size - step, step},  // as after a request for the tail
                                     Case{0, 1, size - step}, Case{step - 1, step, size - step},
                                     Case{step, 2 * step, size - 2 * step}, Case{size - 1, size, size - step},
                                     Case{200'000, 300'000, 3 * step}}) {
                CAPTURE(each.begin);
                CAPTURE(each.end);
                const ScopedFaults active(FaultPlan().not_in_memory(each.begin, each.end));
                faults::reset_calls();
                client.send(request_for("/f"));
                CHECK((client.read_response().body == content));
                CHECK(faults::longest("sendfile") == each.longest);
                if (each.begin == size) CHECK(faults::calls("preadv2") <= 9 * faults::calls("sendfile"));
                faults::reset_calls();
                client.send(request_for("/f", "Range: bytes=0-399999\r\n"));
                CHECK((client.read_response().body == content.substr(0, 400'000)));
                CHECK(faults::longest("sendfile") <= each.longest);
                faults::reset_calls();
                client.send(request_for("/f", "Range: bytes=-60000\r\n"));
                CHECK((client.read_response().body == content.substr(size - 60'000)));
                CHECK(faults::calls("preadv2") == 0);
            }
        });
}

TEST_CASE("of small ranges that are on a disk, no more is waited for in a turn than of a large one") {
    const TemporaryDirectory place;
    const std::string content = pattern_bytes(1'000'000);
    place.write("f", content);
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    std::string ranges = "Range: bytes=";
                    for (int i = 0; i < 10; ++i) {
                        if (i > 0) ranges += ",";
                        ranges += std::to_string(i * 100'000) + "-" + std::to_string(i * 100'000 + 39'999);
                    }
                    const ScopedFaults active(FaultPlan().not_in_memory(0, content.size()));
                    faults::reset_calls();
                    client.send(request_for("/f", ranges + "\r\n"));
                    const std::string parts = client.read_response().body;
                    for (std::size_t i = 0; i < 10; ++i) {
                        CHECK(parts.find(content.substr(i * 100'000, 40'000)) != std::string::npos);
                    }
                    CHECK(faults::calls("preadv2") >= 5);  // for each that is not the first of its turn
                });
}

TEST_CASE("P9: a file that is cut while it is sent ends the connection, with no byte that was not in it") {
    const TemporaryDirectory place;
    make_sparse(place.path("f"), large);
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    RawClient client = RawClient::with_receive_buffer(server.port(), 4096);
                    client.send(request_for("/f"));
                    std::size_t got = client.read_some(1000).size();
                    std::filesystem::resize_file(place.path("f"), 1'000'000);
                    try {
                        for (;;) {
                            const std::size_t more = client.read_some(1 << 20).size();
                            if (more == 0) break;
                            got += more;
                        }
                    } catch (const std::exception&) {
                        // It was reset.
                    }
                    CHECK(got < large);
                });
}

TEST_CASE("clients that do not read a large file hold up nobody, and leave no descriptor") {
    const TemporaryDirectory place;
    make_sparse(place.path("f"), large);
    place.write("small", "small");
    with_server([&](Engine& app) { app.static_files("/", place.path()); },
                [&](TestServer& server) {
                    std::vector<RawClient> stalled;
                    for (int i = 0; i < 50; ++i) {
                        stalled.push_back(RawClient::with_receive_buffer(server.port(), 4096));
                        stalled.back().send(request_for("/f"));
                    }
                    for (int i = 0; i < 100; ++i) CHECK(server.get("/small").body == "small");
                });  // the oracle counts descriptors at the end
}

TEST_CASE("without descriptors a file is 503, and the next one is there") {
    const TemporaryDirectory place;
    place.write("f", "content");
    with_server(
        [&](Engine& app) {
            app.static_files("/s", place.path());
            app.get("/f", [&](sake::Context& ctx) { ctx.file(place.path("f")); });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            const auto status = [&](std::string_view path) {
                client.send(request_for(path));
                const auto response = client.read_response();
                return response.status;
            };
            CHECK(status("/f") == 200);
            for (const int error : {EMFILE, ENFILE, ENOMEM}) {
                const ScopedFaults active(FaultPlan()
                                              .fail_nth("open", 1, error)
                                              .fail_nth("openat", 1, error)
                                              .fail_nth("syscall", 1, error));
                CHECK(status("/f") == 503);
                CHECK(status("/s/f") == 503);
                CHECK(status("/s/f") == 200);
            }
            const ScopedFaults active(FaultPlan().fail_nth("pread", 1, EIO));
            CHECK(status("/s/f") == 500);
            CHECK(status("/s/f") == 200);
        });
}

}  // namespace test_file_sockets
