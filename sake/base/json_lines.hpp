// JsonLines: writes a JSON document step by step, with a line for each member and each element, for texts
// that people read and compare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/json_writer_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Every `begin` needs its `end`. Inside of an object, each value follows its `name`.
class JsonLines {
  public:
    void begin_object() { begin('{'); }
    void end_object() { end('}'); }
    void begin_list() { begin('['); }
    void end_list() { end(']'); }

    JsonLines& name(std::string_view name) {
        append_json_text(value(), name);
        out_.append(": ");
        state_ = State::named;
        return *this;
    }
    /// Any bytes; what is not UTF-8 in them is replaced.
    void text(std::string_view bytes) { append_json_text(value(), bytes); }
    void boolean(bool is_true) { value().append(is_true ? "true" : "false"); }
    template <class Number>
    void integer(Number number) {
        append_json_integer(value(), number);
    }
    template <class Number>
    void number(Number number) {
        append_json_float(value(), number);
    }

    /// Where a value is to be appended that something else writes.
    std::string& value() {
        if (state_ == State::written) out_ += ',';
        if (state_ != State::named) new_line();
        state_ = State::written;
        return out_;
    }

    /// The document, once it has been written.
    [[nodiscard]] std::string& document() noexcept { return out_; }

  private:
    enum class State : std::uint8_t { named, begun, written };

    void new_line() { out_.append("\n").append(2 * depth_, ' '); }
    void begin(char bracket) {
        value() += bracket;
        ++depth_;
        state_ = State::begun;
    }
    void end(char bracket) {
        --depth_;
        if (state_ != State::begun) new_line();
        out_ += bracket;
        state_ = State::written;
    }

    std::string out_;
    std::size_t depth_ = 0;
    State state_ = State::named;  // the document itself has no line before it
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
