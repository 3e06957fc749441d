// What a handler's types say of its route: which parameters it takes, what body, what it answers. Constant
// data, made with the handler, for the description of an API.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

enum class SignaturePlace : std::uint8_t { path, query, body, form, answer };

/// Something that a handler takes or gives. The path parameters come in the order of the pattern; a query, a
/// body and a form are objects or what stands in their place.
struct SignaturePart {
    SignaturePlace place;
    const Shape* shape;
    int status = 200;  // of an answer
};

struct Signature {
    const SignaturePart* parts = nullptr;
    std::size_t count = 0;
    [[nodiscard]] const SignaturePart* begin() const noexcept { return parts; }
    [[nodiscard]] const SignaturePart* end() const noexcept { return parts + count; }
};

inline constexpr Signature no_signature{};
/// Any text, and any JSON, where only what it looks like matters.
inline constexpr Shape text_shape{ShapeKind::text};
inline constexpr Shape any_shape{ShapeKind::any};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
