// Standard error: a log line never waits for room, is never written to a file that only has its number, and
// the number is never that of a descriptor of the library.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"
#include "support/reliability.hpp"

namespace test_standard_error {

using sake::LogLevel;
using sake::Task;
using sake::detail::FileDescriptor;

namespace {

constexpr int first_spare = 100;  // out of the way of what the tests open

/// These numbers of standard streams are closed, or are that of a given file, for as long as this lives. No
/// assertions meanwhile: doctest writes, too.
class Streams {
  public:
    explicit Streams(std::vector<int> numbers) : numbers_(std::move(numbers)) {
        for (const int number : numbers_) {
            saved_.emplace_back(::fcntl(number, F_DUPFD_CLOEXEC, first_spare));
            ::close(number);
        }
    }
    ~Streams() {
        for (std::size_t i = 0; i < numbers_.size(); ++i) ::dup2(saved_[i].get(), numbers_[i]);
    }
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

  private:
    std::vector<int> numbers_;
    std::vector<FileDescriptor> saved_;
};

/// Standard error is a given descriptor.
struct StderrIs : Streams {
    explicit StderrIs(int fd) : Streams({STDERR_FILENO}) { ::dup2(fd, STDERR_FILENO); }
};

/// A pipe as a shell makes it, which blocks.
struct Pipe {
    Pipe() {
        int ends[2] = {-1, -1};
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        reader = FileDescriptor(ends[0]);
        writer = FileDescriptor(ends[1]);
    }
    FileDescriptor reader;
    FileDescriptor writer;
};

/// All that can be read now.
std::string drain(int fd) {
    std::string text;
    char buffer[4096];
    while (sake::detail::sys::is_ready(fd, POLLIN)) {
        const auto result = sake::detail::sys::read(fd, buffer, sizeof buffer);
        if (!result.ok() || result.value == 0) break;
        text.append(buffer, static_cast<std::size_t>(result.value));
    }
    return text;
}

/// How many lines say that they are number so-and-so, and how many were lost by what others say.
struct Counted {
    std::size_t whole = 0;
    std::size_t lost = 0;
    std::size_t other = 0;

    explicit Counted(const std::string& text) {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            constexpr std::string_view note = "sake: warning: ";
            if (line.starts_with(note) && line.find(" lost: standard error was full") != std::string::npos) {
                lost += std::strtoul(line.c_str() + note.size(), nullptr, 10);
            } else if (line.starts_with("sake: line ") && line.ends_with(".")) {
                ++whole;
            } else {
                ++other;
            }
        }
    }
};

void log_line(int number) {
    sake::log_to_stderr(LogLevel::info, "line " + std::to_string(number) + std::string(100, ' ') + ".");
}

/// A folder with a file that programs hold dear.
class Folder {
  public:
    Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
    ~Folder() {
        ::unlink(file().c_str());
        ::unlink((path_ + "/socket").c_str());
        ::rmdir(path_.c_str());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file() const { return path_ + "/file"; }
    [[nodiscard]] std::string socket() const { return "unix:" + path_ + "/socket"; }
    [[nodiscard]] std::string content() const {
        std::ostringstream all;
        all << std::ifstream(file()).rdbuf();
        return all.str();
    }

  private:
    std::string path_ = "/tmp/sake-test-XXXXXX";
};

/// With a file of the process opened once more, which is the way without waiting, or where that is not
/// allowed.
template <class Test>
void with_and_without_own_file(Test test) {
    test();
    harness::faults::apply_to_this_thread();
    {
        const harness::ScopedFaults faults(harness::FaultPlan().fail_range("open", 1, 1'000'000, EACCES));
        test();
    }
    harness::faults::spare_this_thread();
}

}  // namespace

TEST_CASE("F6 a pipe that nobody reads does not hold up a line, and the loss is told when there is room") {
    with_and_without_own_file([] {
        constexpr int count = 2000;
        Pipe pipe;
        std::string held;
        std::string later;
        {
            const StderrIs full(pipe.writer.get());
            for (int i = 0; i < count; ++i) log_line(i);
            held = drain(pipe.reader.get());
            log_line(count);
            later = drain(pipe.reader.get());
        }
        const Counted before(held);
        CHECK(before.whole > 100);
        CHECK(before.lost == 0);
        CHECK(before.other == 0);
        const Counted after(later);
        CHECK(after.whole == 1);
        CHECK(before.whole + after.lost == count);
        CHECK(after.other == 0);
    });
}

TEST_CASE("F6 a line that is longer than a pipe is cut, and the next begins on a line of its own") {
    with_and_without_own_file([] {
        Pipe pipe;
        std::string held;
        std::string later;
        {
            const StderrIs full(pipe.writer.get());
            sake::log_to_stderr(LogLevel::error, std::string(1'000'000, 'x'));
            log_line(1);
            held = drain(pipe.reader.get());
            log_line(2);
            later = drain(pipe.reader.get());
        }
        CHECK(held.starts_with("sake: error: xxx"));
        CHECK(held.find('\n') == std::string::npos);
        CHECK(later.starts_with(
            "\nsake: warning: 2 lines of the log were lost: standard error was full\nsake: line 2"));
        CHECK(later.ends_with(".\n"));
    });
}

TEST_CASE("F6 several threads log into a pipe that is full again and again: no line is cut or forgotten") {
    constexpr int threads = 4;
    constexpr int count = 5000;
    for (const bool is_allowed : {true, false}) {
        CAPTURE(is_allowed);
        Pipe pipe;
        std::string text;
        {
            const StderrIs shared(pipe.writer.get());
            harness::FaultPlan plan;
            if (!is_allowed) plan.fail_range("open", 1, 1'000'000, EACCES);
            const harness::ScopedFaults faults(plan);
            std::atomic<bool> is_done{false};
            std::thread reader([&] {
                while (!is_done) text += drain(pipe.reader.get());
            });
            std::vector<std::thread> writers;
            for (int i = 0; i < threads; ++i) {
                writers.emplace_back([] {
                    harness::faults::apply_to_this_thread();
                    for (int n = 0; n < count; ++n) log_line(n);
                });
            }
            for (auto& each : writers) each.join();
            is_done = true;
            reader.join();
            text += drain(pipe.reader.get());
            log_line(0);  // with the rest of the loss
            text += drain(pipe.reader.get());
        }
        const Counted counted(text);
        CHECK(counted.whole + counted.lost == threads * count + 1);
        CHECK(counted.other == 0);
    }
}

TEST_CASE("F6 a terminal that nobody reads does not hold up a line") {
    const FileDescriptor terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal && errno == ENOENT) {
        MESSAGE("not tried: this system has no /dev/ptmx, as some containers");
        return;
    }
    REQUIRE(terminal);
    REQUIRE(::grantpt(terminal.get()) == 0);
    REQUIRE(::unlockpt(terminal.get()) == 0);
    const char* const name = ::ptsname(terminal.get());
    REQUIRE(name != nullptr);
    const FileDescriptor screen(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(screen);
    std::string held;
    std::string later;
    {
        const StderrIs full(screen.get());
        for (int i = 0; i < 2000; ++i) log_line(i);
        held = drain(terminal.get());
        log_line(2000);
        later = drain(terminal.get());
    }
    CHECK(held.starts_with("sake: line 0 "));
    CHECK(later.find(" of the log were lost: standard error was full") != std::string::npos);
    CHECK(later.find("sake: line 2000 ") != std::string::npos);
}

TEST_CASE(
    "F6 a socket that is the standard error from the start, as under systemd, does not hold up a line") {
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FileDescriptor far(ends[0]);
    const FileDescriptor near(ends[1]);
    std::string held;
    std::string later;
    {
        const StderrIs full(near.get());
        sake::detail::StandardError fresh;
        fresh.remember();  // what the process began with
        for (int i = 0; i < 20'000; ++i) fresh.write_line("sake: line.\n");
        held = drain(far.get());
        fresh.write_line("sake: the last.\n");
        later = drain(far.get());
        far.close();
        fresh.write_line("sake: nobody.\n");  // and no SIGPIPE
    }
    CHECK(held.starts_with("sake: line.\nsake: line.\n"));
    CHECK(later.find(" of the log were lost: standard error was full\nsake: the last.\n") !=
          std::string::npos);
}

TEST_CASE("F6 a file that has got the number of a closed standard error is left alone") {
    const Folder folder;
    const auto content_after_line = [&](int flags) {
        std::ofstream(folder.file()) << "dear";
        {
            const Streams closed({STDERR_FILENO});
            const int fd = ::open(folder.file().c_str(), flags);
            if (fd == STDERR_FILENO) sake::log_to_stderr(LogLevel::error, "secret");
            ::close(fd);
        }
        return folder.content();
    };
    CHECK(content_after_line(O_RDWR) == "dear");
    CHECK(content_after_line(O_RDWR | O_CLOEXEC) == "dear");
    CHECK(content_after_line(O_WRONLY | O_CLOEXEC) == "dear");
    CHECK(content_after_line(O_WRONLY | O_APPEND | O_CLOEXEC) == "dear");
    CHECK(content_after_line(O_RDONLY) == "dear");
    CHECK(content_after_line(O_WRONLY | O_APPEND) == "dearsake: error: secret\n");  // a log that was set up
}

TEST_CASE("F6 a file is left alone that has the number since the standard error was closed for a line") {
    const Folder folder;
    std::ofstream(folder.file()) << "dear";
    {
        const Streams closed({STDERR_FILENO});
        sake::detail::StandardError fresh;
        fresh.remember();  // that the process began without
        fresh.write_line("sake: nowhere\n");
        const int fd = ::open(folder.file().c_str(), O_WRONLY);
        if (fd == STDERR_FILENO) fresh.write_line("sake: secret\n");
        ::close(fd);
    }
    CHECK(folder.content() == "dear");
}

TEST_CASE("F6 a file is left alone that has the number of a closed standard error before there is any line") {
    const Folder folder;
    const auto content_after_line = [&](auto open_file) {
        ::unlink(folder.file().c_str());
        bool is_number_taken = false;
        {
            const StderrIs usual(STDOUT_FILENO);
            sake::detail::StandardError fresh;
            fresh.remember();  // the one that the process began with
            ::close(STDERR_FILENO);
            open_file([&] {
                is_number_taken = ::fcntl(STDERR_FILENO, F_GETFD) >= 0;
                fresh.write_line("sake: secret\n");
            });
        }
        CHECK(is_number_taken);
        return folder.content();
    };
    CHECK(content_after_line([&](auto log) {
              std::ofstream file(folder.file());
              log();
              file << "dear";
          }) == "dear");
    CHECK(content_after_line([&](auto log) {
              std::FILE* const file = std::fopen(folder.file().c_str(), "w");
              if (file == nullptr) return;
              log();
              std::fputs("dear", file);
              std::fclose(file);
          }) == "dear");
    CHECK(content_after_line([&](auto log) {
              const FileDescriptor file(::open(folder.file().c_str(), O_WRONLY | O_CREAT, 0600));
              log();
          }).empty());
}

TEST_CASE("F6 a device that is no terminal is left alone if it has the number of standard error") {
    const FileDescriptor device(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    if (!device) return;
    Pipe pipe;
    {
        const StderrIs redirected(device.get());
        log_line(1);  // which the device would refuse
        ::dup2(pipe.writer.get(), STDERR_FILENO);
        log_line(2);
    }
    const Counted counted(drain(pipe.reader.get()));
    CHECK(counted.whole == 1);
    CHECK(counted.lost == 0);
}

TEST_CASE("F6 a connection that has got the number of a closed standard error is left alone") {
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const FileDescriptor far(ends[0]);
    const FileDescriptor near(ends[1]);
    {
        const StderrIs connection(near.get());
        sake::log_to_stderr(LogLevel::error, "secret");
    }
    CHECK(drain(far.get()).empty());
}

TEST_CASE("a log may be sent elsewhere while the program runs") {
    const Folder folder;
    for (const int flags : {O_WRONLY | O_CREAT | O_APPEND, O_RDWR | O_CREAT | O_TRUNC | O_APPEND}) {
        ::unlink(folder.file().c_str());
        const FileDescriptor file(::open(folder.file().c_str(), flags | O_CLOEXEC, 0600));
        {
            const StderrIs redirected(file.get());
            sake::log_to_stderr(LogLevel::info, "one");
            sake::log_to_stderr(LogLevel::info, "two");
        }
        CHECK(folder.content() == "sake: one\nsake: two\n");
    }
}

/// Whether the number is that of a descriptor, apart from the pipes that UBSan opens for a moment, on any
/// thread and without close-on-exec.
bool is_taken(int number) {
    const int flags = ::fcntl(number, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) return flags >= 0;
    return !harness::eventually([&] { return ::fcntl(number, F_GETFD) < 0; }, std::chrono::seconds(1));
}

TEST_CASE("F6 without standard streams, no descriptor of the library has one of their numbers") {
    const Folder folder;
    harness::detail::warm_up();
    for (const sake::PollerKind kind :
         {sake::PollerKind::epoll, sake::PollerKind::poll, sake::PollerKind::kqueue}) {
        std::atomic<int> low{0};
        std::string bodies;
        int status = 0;
        int code = -1;
        {
            const Streams closed({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
            const auto look = [&] {
                for (int fd = 0; fd < 3; ++fd) low += is_taken(fd) ? 1 : 0;
            };
            sake::Engine app(sake::Config().with_poller(kind));  // which logs to standard error
            app.get("/fail", [&](sake::Context&) {
                look();
                throw std::runtime_error("secret");
            });
            app.listen("127.0.0.1:0").listen(":0").listen(folder.socket());
            look();
            std::thread server([&] { code = app.run(); });
            const std::string url = "http://127.0.0.1:" + std::to_string(app.port()) + "/fail";
            const auto ask = [&]() -> Task<> {
                sake::http::Client client;
                for (int i = 0; i < 3; ++i) {
                    auto response = co_await client.get(url);
                    status = response.status;
                    bodies += response.body;
                    look();
                }
                sake::TcpStream stream = co_await sake::TcpStream::connect(folder.socket());
                co_await stream.write_all("GET /fail HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                const auto head = co_await stream.read_until("\r\n\r\n");
                bodies += head.value_or("");
                look();
                co_await sake::write_file(folder.file(), "content");
                sake::FileReader file = co_await sake::open_file(folder.file());
                look();
                const std::string content = co_await file.read();
                bodies += content;
            };
            sake::run_until_complete(ask());
            app.stop();
            server.join();
            look();
        }
        CHECK(code == 0);
        CHECK(status == 500);
        CHECK(low == 0);
        CHECK(bodies.find("content") != std::string::npos);
        CHECK(bodies.find("secret") == std::string::npos);
        CHECK(bodies.find("sake:") == std::string::npos);
    }
}

}  // namespace test_standard_error
