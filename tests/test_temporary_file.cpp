// Files without a name, and files that are saved whole or not at all.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "sake.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"
#include "support/temporary_directory.hpp"

namespace test_temporary_file {
namespace {

namespace fs = std::filesystem;
using harness::FaultPlan;
using harness::ScopedFaults;
using harness::TemporaryDirectory;
using sake::detail::TemporaryFile;

int error_of(const std::function<void()>& call, std::string* text = nullptr) {
    try {
        call();
    } catch (const std::system_error& error) {
        if (text != nullptr) *text = error.what();
        return error.code().value();
    }
    return 0;
}

/// Runs it where faults apply.
void on_server_thread(const std::function<void()>& f) {
    std::thread([&] {
        harness::faults::apply_to_this_thread();
        f();
    }).join();
}

struct Way {
    const char* lacks;
    FaultPlan plan;
};
/// Systems that lack something.
const Way ways[] = {
    {"nothing", FaultPlan()},
    {"files without names", FaultPlan().fail_nth("open", 1, EOPNOTSUPP)},
    {"/proc", FaultPlan().fail_nth("linkat", 1, ENOENT)},
    {"hard links", FaultPlan().fail_range("linkat", 1, 1000, EPERM)},
    {"files without names and hard links",
     FaultPlan().fail_nth("open", 1, EISDIR).fail_range("linkat", 1, 1000, EOPNOTSUPP)},
};

mode_t usual_mode() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return 0666 & ~mask;
}
mode_t mode_of(const std::string& path) {
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("threads that save one temporary file at once get files of their own") {
    const TemporaryDirectory directory;
    for (int round = 0; round < 200; ++round) {
        TemporaryFile file(directory.path());
        file.write("bytes");
        std::atomic<int> ready{0};
        const auto save = [&](const std::string& path) {
            ++ready;
            while (ready < 2) std::this_thread::yield();
            file.save(path);
        };
        const std::string one = "one" + std::to_string(round);
        const std::string other = "other" + std::to_string(round);
        std::thread thread([&] { save(directory.path(other)); });
        save(directory.path(one));
        thread.join();
        for (const std::string& name : {one, other}) {
            REQUIRE(fs::hard_link_count(directory.path(name)) == 1);
            REQUIRE(directory.content(name) == "bytes");
        }
    }
}

TEST_CASE("a temporary file has no name, and is read wherever one likes") {
    for (const Way& way : {ways[0], ways[1]}) {
        INFO(way.lacks);
        const TemporaryDirectory directory;
        on_server_thread([&] {
            const ScopedFaults faults(way.plan);
            TemporaryFile file(directory.path());
            file.write("0123456789");
            file.write("");
            file.write("abc");
            CHECK(file.size() == 13);
            CHECK(directory.count() == 0);
            CHECK(file.read(0, 100) == "0123456789abc");
            CHECK(file.read(9, 2) == "9a");
            CHECK(file.read(13, 1).empty());
            CHECK(file.read(1000, 1).empty());
        });
    }
}

TEST_CASE("the directory of temporary files is TMPDIR, else /tmp, unless one is given") {
    using sake::detail::temporary_directory_or;
    const char* const before = std::getenv("TMPDIR");
    const std::string kept = before != nullptr ? before : "";
    ::setenv("TMPDIR", "/var/tmp", 1);
    CHECK(temporary_directory_or("") == "/var/tmp");
    CHECK(temporary_directory_or("/here") == "/here");
    ::setenv("TMPDIR", "", 1);
    CHECK(temporary_directory_or("") == "/tmp");
    ::unsetenv("TMPDIR");
    CHECK(temporary_directory_or("") == "/tmp");
    if (before != nullptr) ::setenv("TMPDIR", kept.c_str(), 1);
}

TEST_CASE("a temporary file in no directory throws and names it") {
    std::string text;
    CHECK(error_of([] { TemporaryFile("/absent/x"); }, &text) == ENOENT);
    CHECK(text.starts_with("a temporary file in /absent/x: "));
    CHECK(error_of([] { TemporaryFile(std::string_view("/tmp\0x", 6)); }) == EINVAL);
}

TEST_CASE("a file is saved whole, with the usual mode, and nothing else is left, whatever the system lacks") {
    for (const Way& way : ways) {
        INFO(way.lacks);
        const TemporaryDirectory directory;
        on_server_thread([&] {
            {
                const ScopedFaults faults(way.plan);
                sake::detail::save_bytes(directory.path("a"), "abc");
            }
            const ScopedFaults faults(way.plan);
            TemporaryFile file(directory.path());
            file.write("large");
            file.save(directory.path("b"));
            file.save(directory.path("c"));
            CHECK(file.read(0, 9) == "large");
        });
        CHECK(directory.content("a") == "abc");
        CHECK(directory.content("b") == "large");
        CHECK(directory.content("c") == "large");
        for (const char* name : {"a", "b", "c"}) CHECK(mode_of(directory.path(name)) == usual_mode());
        directory.write("b", "changed");
        CHECK(directory.content("c") == "large");
        CHECK(directory.count() == 3);
    }
}

TEST_CASE("saving never replaces anything: a file, a directory, a link to nothing") {
    for (const Way& way : ways) {
        INFO(way.lacks);
        const TemporaryDirectory directory;
        directory.write("file", "old");
        fs::create_directory(directory.path("directory"));
        fs::create_symlink(directory.path("absent"), directory.path("link"));
        for (const char* name : {"file", "directory", "link"}) {
            INFO(name);
            std::string text;
            on_server_thread([&] {
                const std::string path = directory.path(name);
                {
                    const ScopedFaults faults(way.plan);
                    CHECK(error_of([&] { sake::detail::save_bytes(path, "new"); }, &text) == EEXIST);
                }
                CHECK(text.starts_with("cannot save " + path + ": "));
                const ScopedFaults faults(way.plan);
                TemporaryFile file(directory.path());
                file.write("new");
                CHECK(error_of([&] { file.save(path); }) == EEXIST);
            });
        }
        CHECK(directory.content("file") == "old");
        CHECK_FALSE(fs::exists(directory.path("absent")));
        CHECK(directory.count() == 3);
    }
}

TEST_CASE("a file that cannot be saved leaves nothing behind and says why") {
    const TemporaryDirectory directory;
    std::string text;
    CHECK(error_of([&] { sake::detail::save_bytes(directory.path("absent/x"), "abc"); }, &text) == ENOENT);
    CHECK(text.find(directory.path("absent/")) != std::string::npos);
    CHECK(error_of([&] { sake::detail::save_bytes(directory.path(std::string("a\0b", 3)), "abc"); }) ==
          EINVAL);
    CHECK(error_of([&] { sake::detail::save_bytes(directory.path() + "/", "abc"); }) != 0);
    CHECK(error_of([&] { sake::detail::save_bytes("", "abc"); }) != 0);
    for (const Way& way : ways) {
        INFO(way.lacks);
        on_server_thread([&] {
            const ScopedFaults faults(FaultPlan(way.plan).fail_range("write", 1, 1000, ENOSPC));
            CHECK(error_of([&] { sake::detail::save_bytes(directory.path("full"), "abc"); }) == ENOSPC);
        });
        // It is written once in each of the ways that are tried one after the other.
        for (bool is_written = false; std::uint64_t nth : {1U, 2U, 3U, 4U}) {
            CAPTURE(nth);
            on_server_thread([&] {
                const ScopedFaults faults(FaultPlan(way.plan).fail_nth("write", nth, ENOSPC));
                const int error = error_of([&] { sake::detail::save_bytes(directory.path("full"), "abc"); });
                is_written = error == 0;
                CHECK((is_written || error == ENOSPC));
            });
            CHECK(directory.count() == (is_written ? 1 : 0));
            if (!is_written) continue;
            CHECK(nth > 1);
            REQUIRE(::unlink(directory.path("full").c_str()) == 0);
        }
    }
    CHECK(directory.count() == 0);
}

TEST_CASE("a temporary file on another file system is copied") {
    if (!fs::exists("/dev/shm")) return;
    const TemporaryDirectory directory;
    TemporaryFile file("/dev/shm");
    const std::string bytes(1'000'000, 'x');
    file.write(bytes);
    file.save(directory.path("copy"));
    CHECK(directory.content("copy") == bytes);
    CHECK(mode_of(directory.path("copy")) == usual_mode());
    CHECK(error_of([&] { file.save(directory.path("copy")); }) == EEXIST);
    CHECK(directory.count() == 1);
}

TEST_CASE("writes that are short or interrupted are completed") {
    const TemporaryDirectory directory;
    on_server_thread([&] {
        const ScopedFaults faults(
            FaultPlan().short_io("write", 1, 3).short_io("pread", 1, 2).fail_nth("linkat", 1, EINTR));
        TemporaryFile file(directory.path());
        file.write("0123456789");
        CHECK(file.read(0, 10) == "0123456789");
        file.save(directory.path("a"));
    });
    CHECK(directory.content("a") == "0123456789");
}

}  // namespace test_temporary_file
