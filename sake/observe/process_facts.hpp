// ProcessFacts: what the system knows of this process. What a system does not tell is left out: only Linux
// tells all of it.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/file_descriptor.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/platform.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Times are in nanoseconds. What is 0 is not known.
struct ProcessFacts {
    std::int64_t cpu_time = 0;  // of all threads
    std::size_t most_files = 0;
    std::int64_t resident_bytes = 0;
    std::int64_t virtual_bytes = 0;
};

/// A small file of /proc as text; "" if there is none.
class ProcText {
  public:
    explicit ProcText(const char* path) noexcept {
        const SysResult opened = sys::open(path, O_RDONLY);
        if (!opened.ok()) return;
        const FileDescriptor file(static_cast<int>(opened.value));
        const SysResult result = sys::read(file.get(), bytes_.data(), bytes_.size());
        if (result.ok()) rest_ = {bytes_.data(), static_cast<std::size_t>(result.value)};
    }
    ProcText(const ProcText&) = delete;
    ProcText& operator=(const ProcText&) = delete;

    /// Goes on behind the last one of these.
    void skip_to_last(char c) noexcept {
        const std::size_t at = rest_.rfind(c);
        rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + 1);
    }
    /// The next word but so many as a number.
    Maybe<std::int64_t> number(std::size_t words_before) noexcept {
        for (;; --words_before) {
            rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
            const std::string_view word = rest_.substr(0, rest_.find_first_of(" \n"));
            rest_.remove_prefix(word.size());
            if (words_before > 0) continue;
            std::int64_t value = 0;
            const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
            if (word.empty() || read.ec != std::errc()) return {};
            return value;
        }
    }

  private:
    std::array<char, 1024> bytes_;
    std::string_view rest_;
};

inline std::int64_t nanoseconds_of(const timeval& time) noexcept {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1000;
}
inline std::int64_t nanoseconds_of(clockid_t clock) noexcept {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_nsec};
}

/// When this process was started: nanoseconds since 1970, 0 if that is not known. The system knows it in
/// ticks since it was booted.
inline std::int64_t process_start() noexcept {
#if defined(CLOCK_BOOTTIME)
    ProcText stat("/proc/self/stat");
    stat.skip_to_last(')');  // behind the name, which may have anything in it
    const long ticks_in_second = ::sysconf(_SC_CLK_TCK);
    if (const Maybe<std::int64_t> ticks = stat.number(19); ticks && ticks_in_second > 0) {
        const std::int64_t booted = nanoseconds_of(CLOCK_REALTIME) - nanoseconds_of(CLOCK_BOOTTIME);
        return booted + *ticks * (1'000'000'000 / ticks_in_second);
    }
#endif
    return 0;
}

inline ProcessFacts process_facts() noexcept {
    ProcessFacts facts;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) {
        facts.cpu_time = nanoseconds_of(usage.ru_utime) + nanoseconds_of(usage.ru_stime);
    }
    facts.most_files = sys::open_file_limit();
    ProcText pages("/proc/self/statm");
    const std::int64_t page = ::sysconf(_SC_PAGESIZE);
    if (const auto all = pages.number(0)) facts.virtual_bytes = *all * page;
    if (const auto resident = pages.number(0)) facts.resident_bytes = *resident * page;
    return facts;
}

/// Counts the files that this process has open, as there may be many, so many at a time.
class OpenFiles {
  public:
    OpenFiles() noexcept {
#if SAKE_HAS_EPOLL
        struct stat status{};
        if (::stat("/proc/self/fd", &status) == 0 && status.st_size > 0) {  // Linux 6.2 says it at once
            count_ = static_cast<std::size_t>(status.st_size);
            is_known_ = true;
        } else {
            directory_ = ::opendir("/proc/self/fd");
        }
#endif
    }
    OpenFiles(const OpenFiles&) = delete;
    OpenFiles& operator=(const OpenFiles&) = delete;
    ~OpenFiles() {
        if (directory_ != nullptr) ::closedir(directory_);
    }

    /// False when all are counted.
    bool go_on(std::size_t most) noexcept {
        for (; directory_ != nullptr && most > 0; --most) {
            const dirent* const entry = ::readdir(directory_);
            if (entry == nullptr) {
                ::closedir(std::exchange(directory_, nullptr));
                --count_;  // that of the directory
                is_known_ = true;
            } else if (entry->d_name[0] != '.') {
                ++count_;
            }
        }
        return directory_ != nullptr;
    }
    [[nodiscard]] Maybe<std::size_t> count() const noexcept {
        return is_known_ ? Maybe<std::size_t>(count_) : Maybe<std::size_t>();
    }

  private:
    DIR* directory_ = nullptr;
    std::size_t count_ = 0;
    bool is_known_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
