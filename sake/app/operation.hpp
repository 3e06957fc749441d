// What a handler's types say of its route: which parameters it takes, what body, what it answers. Constant
// data, made with the handler, for the description of an API.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

enum class OperationPlace : std::uint8_t { path, query, body, form, answer };

/// Something that a handler takes or gives. The path parameters come in the order of the pattern; a query, a
/// body and a form are objects or what stands in their place.
struct OperationPart {
    OperationPlace place;
    const Shape* shape;
    int status = 200;  // of an answer
};

struct Operation {
    const OperationPart* parts = nullptr;
    std::size_t count = 0;
    [[nodiscard]] const OperationPart* begin() const noexcept { return parts; }
    [[nodiscard]] const OperationPart* end() const noexcept { return parts + count; }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
