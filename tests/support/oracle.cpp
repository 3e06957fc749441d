// The oracle reads /proc: opendir allocates with malloc, which the figures do not include.
#include "oracle.hpp"

#include <dirent.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "allocations.hpp"

namespace harness {
namespace {

/// Calls f with every numeric name in a directory of /proc, leaving out the descriptor used for reading it.
template <class F>
void for_each_number(const char* directory, F f) {
    DIR* open = ::opendir(directory);
    if (open == nullptr) return;
    const int own = ::dirfd(open);
    const bool lists_fds = std::string_view(directory).ends_with("/fd");
    while (const dirent* entry = ::readdir(open)) {
        if (entry->d_name[0] == '.') continue;
        const int number = std::atoi(entry->d_name);
        if (!lists_fds || number != own) f(number);
    }
    ::closedir(open);
}

int count_numbers(const char* directory) {
    int count = 0;
    for_each_number(directory, [&](int) { ++count; });
    return count;
}

std::string target_of(int fd) {
    char target[256];
    const auto length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof target);
    return length < 0 ? "?" : std::string(target, static_cast<std::size_t>(length));
}

std::string line(const char* what, std::int64_t before, std::int64_t now) {
    if (before == now) return {};
    return std::string("  ") + what + ": " + std::to_string(before) + " before, " + std::to_string(now) +
           " now\n";
}

/// ThreadSanitizer starts a thread of its own along with the first one, which is not the library's to answer
/// for.
void start_a_first_thread() {
    static const bool done = [] {
        std::thread([] {}).join();
        return true;
    }();
    (void)done;
}

}  // namespace

Snapshot Snapshot::take() {
    return {count_numbers("/proc/self/fd"), count_numbers("/proc/self/task"), allocations::live_blocks(),
            allocations::live_bytes()};
}

Snapshot Snapshot::take_in_calm() {
    start_a_first_thread();
    Snapshot last = take();
    int calm = 0;
    for (int round = 0; round < 1000 && calm < 3; ++round) {
        ::poll(nullptr, 0, 1);
        const Snapshot now = take();
        calm = now == last ? calm + 1 : 0;
        last = now;
    }
    return last;
}

std::int64_t resident_bytes() {
    long pages = 0;
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    const int read = file == nullptr ? 0 : std::fscanf(file, "%*d %ld", &pages);
    if (file != nullptr) std::fclose(file);
    return read == 1 ? pages * ::sysconf(_SC_PAGESIZE) : 0;
}

Oracle::Oracle() : baseline_(Snapshot::take_in_calm()) {
    for_each_number("/proc/self/fd", [&](int fd) {
        if (fd >= 0 && static_cast<std::size_t>(fd) < most_fds)
            open_at_baseline_.set(static_cast<std::size_t>(fd));
    });
}

bool Oracle::check_returned_to_baseline(std::chrono::milliseconds timeout) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (Snapshot::take() != baseline_) {
        if (std::chrono::steady_clock::now() >= until) {
            const allocations::Exempt not_the_servers;
            std::fprintf(stderr, "not back at the baseline:\n%s", difference().c_str());
            return false;
        }
        std::this_thread::yield();
        ::poll(nullptr, 0, 1);
    }
    return true;
}

std::string Oracle::difference() const {
    const Snapshot now = Snapshot::take();
    std::string text = line("descriptors", baseline_.fds, now.fds) +
                       line("threads", baseline_.threads, now.threads) +
                       line("live blocks", baseline_.live_blocks, now.live_blocks) +
                       line("live bytes", baseline_.live_bytes, now.live_bytes);
    for_each_number("/proc/self/fd", [&](int fd) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= most_fds || open_at_baseline_.test(index)) return;
        text += "  new descriptor " + std::to_string(fd) + ": " + target_of(fd) + "\n";
    });
    return text;
}

}  // namespace harness
