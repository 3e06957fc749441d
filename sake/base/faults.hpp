// Faults: everything that a document has wrong, each with its place, a code for programs and words for
// people.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// One step on the way through a document: a member, or an element of a list. The outermost has no outer one
/// and no name, and is the document itself.
struct Place {
    const Place* outer = nullptr;
    std::string_view name = {};
    std::size_t index = 0;  // of an element, which has no name: its name's data() is null

    /// As a JSON pointer (RFC 6901): "/notes/3/text"; "" for the document itself. Where that would take more
    /// than 1,024 bytes, since a client may choose long names, of the last place around it that does not.
    [[nodiscard]] std::string pointer() const;
};

struct Fault {
    std::string pointer;
    const char* code;  // "missing", "type", "range"; docs/types.md lists them
    std::string detail;
};

/// Faults in the order in which they were found, so many of them and no more.
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

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
