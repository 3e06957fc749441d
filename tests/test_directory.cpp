// Directory: what is beneath it is opened, and nothing else, by the kernel's way and by the walk alike.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/dice.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"
#include "support/temporary_directory.hpp"

namespace test_directory {

using harness::Dice;
using harness::TemporaryDirectory;
using sake::detail::Directory;
using sake::detail::is_plain_path;
using sake::detail::OpenedFile;
using Kind = OpenedFile::Kind;

namespace {

/// A tree with something outside of it that nobody may see.
struct Tree {
    Tree() {
        outside.write("secret.txt", "secret");
        outside.write("root/a.txt", "a");
        outside.write("root/sub/b.txt", "b");
        outside.write("root/sub/deep/c.txt", "c");
        outside.write("root/%2e%2e/odd.txt", "odd");
        outside.write("root/...", "three dots");
        link("a.txt", "to_file");
        link("sub", "to_directory");
        link("sub/", "to_directory_with_slash");
        link("../a.txt", "sub/up");
        link("deep/../../sub/b.txt", "sub/around");
        link(".", "self");
        link("to_file", "to_link");
        link("../secret.txt", "out");
        link("..", "parent");
        link("../root/a.txt", "out_and_back");
        link(outside.path("secret.txt"), "absolute_out");
        link(outside.path("root/a.txt"), "absolute_in");
        link("/", "slash");
        link("loop", "loop");
        link("ring_b", "ring_a");
        link("ring_a", "ring_b");
        link("nowhere", "broken");
        link("a.txt/", "file_as_directory");
        link("/proc/self/root", "magic");
        link("sub/../../secret.txt", "sideways");
        std::string chain = "a.txt";
        for (int i = 0; i < 45; ++i) {
            const std::string next = "chain" + std::to_string(i);
            link(chain, next);
            chain = next;
        }
        REQUIRE(::mkfifo(outside.path("root/fifo").c_str(), 0600) == 0);
        listen_at(outside.path("root/socket"));
    }
    [[nodiscard]] std::string root() const { return outside.path("root"); }

    TemporaryDirectory outside;

  private:
    void link(std::string_view target, std::string_view name) const {
        outside.link(target, "root/" + std::string(name));
    }
    void listen_at(const std::string& path) {
        socket_ = sake::detail::FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    sake::detail::FileDescriptor socket_;
};

/// Faults are for the threads of a server.
template <class F>
void on_server_thread(F f) {
    std::thread([&] {
        harness::faults::apply_to_this_thread();
        f();
    }).join();
}

/// What it finds there: "nothing", "directory", or the content of the file.
std::string found_at(const Directory& directory, std::string_view path) {
    const OpenedFile found = directory.open(path);
    CHECK(found.error == 0);
    if (found.kind == Kind::nothing) return "nothing";
    if (found.kind == Kind::directory) return "directory";
    std::string content(static_cast<std::size_t>(found.size), '\0');
    REQUIRE(::read(found.descriptor.get(), content.data(), content.size()) ==
            static_cast<ssize_t>(content.size()));
    return content;
}

}  // namespace

TEST_CASE("files and directories are found, and links that stay beneath are followed, both ways") {
    const Tree tree;
    for (const Directory::Way way : {Directory::Way::kernel, Directory::Way::walk}) {
        const Directory directory(tree.root(), way);
        CHECK(found_at(directory, "a.txt") == "a");
        CHECK(found_at(directory, "sub/b.txt") == "b");
        CHECK(found_at(directory, "sub/deep/c.txt") == "c");
        CHECK(found_at(directory, "") == "directory");
        CHECK(found_at(directory, "sub") == "directory");
        CHECK(found_at(directory, "...") == "three dots");
        CHECK(found_at(directory, "%2e%2e/odd.txt") == "odd");
        CHECK(found_at(directory, "to_file") == "a");
        CHECK(found_at(directory, "to_link") == "a");
        CHECK(found_at(directory, "to_directory") == "directory");
        CHECK(found_at(directory, "to_directory/b.txt") == "b");
        CHECK(found_at(directory, "to_directory_with_slash") == "directory");
        CHECK(found_at(directory, "to_directory_with_slash/b.txt") == "b");
        CHECK(found_at(directory, "sub/up") == "a");
        CHECK(found_at(directory, "sub/around") == "b");
        CHECK(found_at(directory, "self") == "directory");
        CHECK(found_at(directory, "self/self/a.txt") == "a");
        CHECK(found_at(directory, "chain39") == "a");        // by way of forty links
        CHECK(found_at(directory, "chain40") == "nothing");  // forty-one
    }
}

TEST_CASE("P9: nothing outside is found, and nothing but files and directories, both ways and at once") {
    const Tree tree;
    const auto begun = std::chrono::steady_clock::now();
    for (const Directory::Way way : {Directory::Way::kernel, Directory::Way::walk}) {
        const Directory directory(tree.root(), way);
        for (const char* const path : {"out",
                                       "parent",
                                       "parent/secret.txt",
                                       "out_and_back",
                                       "absolute_out",
                                       "absolute_in",
                                       "slash",
                                       "slash/etc/passwd",
                                       "loop",
                                       "ring_a",
                                       "broken",
                                       "file_as_directory",
                                       "magic",
                                       "sideways",
                                       "magic/etc/passwd",
                                       "self/parent/secret.txt",
                                       "fifo",
                                       "socket",
                                       "fifo/x",
                                       "a.txt/x",
                                       "absent",
                                       "sub/absent/x",
                                       "..",
                                       "../secret.txt",
                                       "sub/../../secret.txt",
                                       "sub/../a.txt",
                                       ".",
                                       "./a.txt",
                                       "/a.txt",
                                       "a.txt/",
                                       "sub/",
                                       "sub//b.txt",
                                       "\\..\\secret.txt",
                                       "sub\\b.txt"}) {
            INFO(path);
            CHECK(found_at(directory, path) == "nothing");
        }
        CHECK(found_at(Directory("/dev", way), "null") == "nothing");
        CHECK(found_at(Directory("/dev", way), "zero") == "nothing");
        CHECK(found_at(directory, std::string_view("a.txt\0b", 7)) == "nothing");
        CHECK(found_at(directory, std::string(256, 'a')) == "nothing");
        CHECK(found_at(directory, std::string(100'000, 'a')) == "nothing");
    }
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
}

TEST_CASE("P9: two thousand hostile paths find the same both ways, and never what is outside") {
    const Tree tree;
    const Directory by_kernel(tree.root(), Directory::Way::kernel);
    const Directory by_walk(tree.root(), Directory::Way::walk);
    const std::vector<std::string> pieces = {"..",
                                             ".",
                                             "...",
                                             "a.txt",
                                             "sub",
                                             "deep",
                                             "b.txt",
                                             "self",
                                             "parent",
                                             "to_directory",
                                             "out",
                                             "root",
                                             "out_and_back",
                                             "secret.txt",
                                             "slash",
                                             "etc",
                                             "passwd",
                                             "..\\",
                                             "\\..",
                                             "%2e%2e",
                                             "%2f",
                                             "",
                                             " ",
                                             "a.txt ",
                                             "a.txt.",
                                             "fifo",
                                             "absolute_in",
                                             "magic",
                                             "loop",
                                             "\xc0\xae.",
                                             "\xe2\x80\xae",
                                             "sub/../..",
                                             "to_link",
                                             "around",
                                             "up",
                                             "a:b",
                                             "a.txt::$DATA",
                                             ";",
                                             "chain44",
                                             "\x7f",
                                             "nul",
                                             "~"};
    Dice dice(3);
    int found = 0;
    for (int round = 0; round < 2'000; ++round) {
        std::string path;
        const std::size_t count = 1 + dice.below(6);
        for (std::size_t i = 0; i < count; ++i) {
            if (i > 0) path += dice.one_in(20) ? "\\" : dice.one_in(20) ? "//" : "/";
            path += dice.one_of(pieces);
            if (dice.one_in(50)) path += std::string(1, '\0');
        }
        INFO(path);
        const std::string one = found_at(by_kernel, path);
        CHECK(one == found_at(by_walk, path));
        CHECK(one != "secret");
        found += one != "nothing" ? 1 : 0;
    }
    CHECK(found > 20);  // not all of them are absent
}

TEST_CASE("a path is plain if it is names between single slashes") {
    for (const char* const plain :
         {"", "a", "a/b", "...", "..a", "a..", "a b", "%2e", "\xc3\xa4/x", ".hidden"}) {
        CHECK(is_plain_path(plain));
    }
    for (const char* const other :
         {"/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b", "a\nb"}) {
        CHECK_FALSE(is_plain_path(other));
    }
    CHECK(is_plain_path(std::string(255, 'a')));
    CHECK_FALSE(is_plain_path(std::string(256, 'a')));
    CHECK_FALSE(is_plain_path(std::string_view("a\0b", 3)));
}

TEST_CASE("a directory that cannot be opened is named, with the reason") {
    const TemporaryDirectory place;
    place.write("file", "");
    const auto why = [](const std::string& path) {
        try {
            const Directory directory(path);
            return std::string("opened");
        } catch (const std::system_error& error) {
            return std::string(error.what());
        }
    };
    CHECK(why(place.path("absent")) == place.path("absent") + ": No such file or directory");
    CHECK(why(place.path("file")) == place.path("file") + ": Not a directory");
    CHECK(why("") == ": No such file or directory");
    CHECK(why(std::string("/tmp\0x", 6)) == "/tmp\\0: a name with a NUL byte in it: Invalid argument");
}

TEST_CASE("a directory that was removed and made anew is served as it is now") {
    const TemporaryDirectory place;
    place.write("dist/old.txt", "old");
    const Directory directory(place.path("dist"));
    CHECK(found_at(directory, "old.txt") == "old");
    std::filesystem::remove_all(place.path("dist"));
    CHECK(found_at(directory, "old.txt") == "nothing");
    place.write("dist/new.txt", "new");
    CHECK(found_at(directory, "old.txt") == "nothing");
    CHECK(found_at(directory, "new.txt") == "new");
}

TEST_CASE("where the kernel has no openat2, or forbids it, the path is walked") {
    const Tree tree;
    for (const int error : {ENOSYS, EPERM, EINVAL}) {
        const harness::ScopedFaults faults(harness::FaultPlan().fail_range("syscall", 1, 1'000'000, error));
        on_server_thread([&] {
            const Directory directory(tree.root());
            CHECK(directory.way() == Directory::Way::walk);
            CHECK(found_at(directory, "sub/around") == "b");
            CHECK(found_at(directory, "parent/secret.txt") == "nothing");
        });
        CHECK(faults.fired("syscall") == 1);  // and it is not tried again
    }
}

TEST_CASE("where something is renamed whenever the kernel looks, the path is walked") {
    const Tree tree;
    const Directory directory(tree.root(), Directory::Way::kernel);
    const harness::ScopedFaults faults(harness::FaultPlan().fail_range("syscall", 1, 1'000'000, EAGAIN));
    on_server_thread([&] { CHECK(found_at(directory, "sub/b.txt") == "b"); });
    CHECK(faults.fired("syscall") == 8);
}

TEST_CASE("a want of resources is told from a file that is not there") {
    const Tree tree;
    const Directory directory(tree.root(), Directory::Way::walk);
    const auto error_of = [&](int error) {
        const harness::ScopedFaults faults(harness::FaultPlan().fail_nth("openat", 1, error));
        int told = -1;
        on_server_thread([&] {
            const OpenedFile found = directory.open("a.txt");
            if (found.kind == Kind::nothing) told = found.error;
        });
        return told;
    };
    for (const int error : {EMFILE, ENFILE, ENOMEM, EIO}) CHECK(error_of(error) == error);
    for (const int error : {EACCES, ENOENT, ELOOP, ENXIO, ENODEV}) CHECK(error_of(error) == 0);
}

}  // namespace test_directory
