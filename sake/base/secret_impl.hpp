// How secrets are compared.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/secret.hpp"

namespace sake {
inline namespace SAKE_ABI {

SAKE_INLINE bool equal_in_constant_time(std::string_view sent, std::string_view secret) noexcept {
    // Volatile, so that no compiler ends the loop at the first difference.
    volatile unsigned differences = sent.size() == secret.size() && !secret.empty() ? 0U : 1U;
    std::size_t place = 0;  // in the secret, which begins anew where what was sent is longer
    for (const char c : sent) {
        if (place >= secret.size()) place = 0;
        const char expected = secret.empty() ? '\0' : secret[place];
        differences = differences | static_cast<unsigned>(static_cast<unsigned char>(c ^ expected));
        ++place;
    }
    return differences == 0;
}

}  // namespace SAKE_ABI
}  // namespace sake
