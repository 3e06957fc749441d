// Recorded exchanges as text: the files of tests/golden, read, compared and rewritten. What a byte is called
// there is in tests/golden/README.md. Not here: the server that they are about, and the sockets.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace golden {

/// One step of an exchange.
struct Step {
    enum class Kind { send, receive, half_close, act };

    Kind kind = Kind::send;
    std::string bytes;           // sent or expected, or the name of an act
    std::size_t first_line = 0;  // in the file, from 0
    std::size_t line_count = 0;
};

/// What one client sends, and what it gets back.
struct Exchange {
    std::string name;
    std::string app = "plain";                                  // which application answers
    std::vector<std::pair<std::string, std::string>> settings;  // of its Config
    std::vector<Step> steps;
    std::string end;           // "open" or "closed": the connection after all of that
    std::size_t line = 0;      // of its name, from 0
    std::size_t end_line = 0;  // of `end`
};

/// A file of exchanges. Comments and everything that is sent survive a rewriting as they are.
class File {
  public:
    /// Throws std::runtime_error that names the file, the line and the mistake.
    explicit File(std::filesystem::path path);

    [[nodiscard]] const std::vector<Exchange>& exchanges() const { return exchanges_; }
    /// "heads.txt:12"
    [[nodiscard]] std::string place(const Exchange& exchange) const;

    /// Puts these answers, one for each receiving step, and this end in the place of the recorded ones.
    void record(std::size_t exchange, const std::vector<std::string>& answers, std::string_view end);
    /// Writes the file with what was recorded. Call it last: the line numbers of the exchanges are then
    /// stale.
    void save();

  private:
    struct Replacement {
        std::size_t first_line;
        std::size_t line_count;
        std::vector<std::string> lines;
    };

    [[noreturn]] void fail(std::size_t line, const std::string& what) const;
    void parse();
    void parse_line(std::size_t number);
    void add_bytes(Step::Kind kind, std::string_view text, std::size_t line);
    void set_option(std::string_view word, std::string_view rest, std::size_t line);

    std::filesystem::path path_;
    std::vector<std::string> lines_;
    std::vector<Exchange> exchanges_;
    std::vector<Replacement> replacements_;  // in the order of the file
};

/// The bytes that a line of a file stands for. Throws std::runtime_error for a bad escape.
[[nodiscard]] std::string unescape(std::string_view text);
/// The lines that stand for these bytes: one for each line feed, and for each answer.
[[nodiscard]] std::vector<std::string> escape(std::string_view bytes);

/// Puts a fixed date of the same length into every well-formed Date field.
void fix_dates(std::string& bytes);

/// What differs, line by line: "-" is recorded, "+" is new. Empty if nothing does.
[[nodiscard]] std::string difference(std::string_view recorded, std::string_view now);

}  // namespace golden
