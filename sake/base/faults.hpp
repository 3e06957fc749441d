// Faults: everything wrong in a document, each with its place, a code for programs and words for people.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// One step into a document: a member, or an element of a list. The outermost place has no outer one and no
/// name: it is the document.
struct Place {
    const Place* outer = nullptr;
    std::string_view name = {};
    std::size_t index = 0;  // of an element, which has no name: its name's data() is null

    /// As a JSON pointer (RFC 6901): "/notes/3/text"; "" for the document. Client-chosen names may be long:
    /// if the pointer would exceed 1,024 bytes, it names the innermost place around it that fits.
    [[nodiscard]] std::string pointer() const;
};

struct Fault {
    std::string pointer;
    const char* code;  // "missing", "type", "range"; docs/types.md lists them
    std::string detail;
};

/// Faults in the order of their discovery, up to a limit.
class Faults {
  public:
    static constexpr std::size_t most = 100;

    void add(const Place& place, const char* code, std::string detail) {
        if (!is_full()) add(place.pointer(), code, std::move(detail));
    }
    void add(std::string pointer, const char* code, std::string detail) {
        if (!is_full()) list_.push_back({std::move(pointer), code, std::move(detail)});
    }
    [[nodiscard]] bool is_full() const noexcept { return list_.size() >= most; }
    [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return list_.size(); }
    [[nodiscard]] const Fault* begin() const noexcept { return list_.begin(); }
    [[nodiscard]] const Fault* end() const noexcept { return list_.end(); }

  private:
    Array<Fault> list_;
};

/// What the first of them says, and of which member: "/stars must be a number, but is text".
std::string text_of_first(const Faults& faults);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
