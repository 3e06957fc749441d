// A directory that goes with everything in it at the end.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

namespace harness {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        char name[] = "/tmp/sake-test-XXXXXX";
        if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = name;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string path(std::string_view inside) const {
        return path_ + "/" + std::string(inside);
    }

    /// Makes a file, or replaces its content, and the directories above it.
    void write(std::string_view inside, std::string_view content) const {
        const std::filesystem::path file = path(inside);
        std::filesystem::create_directories(file.parent_path());
        std::ofstream out(file, std::ios::binary | std::ios::trunc);
        out << content;
        if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
    }
    [[nodiscard]] std::string content(std::string_view inside) const {
        std::ifstream file(path(inside), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    /// How much is in it, under whatever names.
    [[nodiscard]] long count() const {
        return std::distance(std::filesystem::directory_iterator(path_),
                             std::filesystem::directory_iterator());
    }
    [[nodiscard]] bool is_empty() const { return count() == 0; }
    /// Sets when a file was modified, in seconds since 1970.
    void set_modified(std::string_view inside, long seconds, long nanoseconds = 0) const {
        const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
        if (::utimensat(AT_FDCWD, path(inside).c_str(), times, 0) != 0) throw std::runtime_error("utimensat");
    }
    void link(std::string_view target, std::string_view inside) const {
        std::filesystem::create_symlink(std::string(target), path(inside));
    }

  private:
    std::string path_;
};

}  // namespace harness
