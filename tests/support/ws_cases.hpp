// The WebSocket conformance table, in the order of subjects of the Autobahn test suite. A case is what one
// client sends after its handshake, and what an echo server has to send back; each names its section. The
// rules are RFC 6455's and RFC 7692's, the rows our own. Sake is strict: where the RFCs leave no choice, one
// outcome is right.
#pragma once

#include <cstddef>
#include <vector>

#include "ws_case.hpp"

namespace harness::ws {

/// The limits that the server of all cases has: of the bytes of a message, and of its frames.
constexpr std::size_t max_message = 1 << 20;
constexpr std::size_t max_fragments = 1000;

[[nodiscard]] std::vector<Case> framing_cases();        // 1
[[nodiscard]] std::vector<Case> ping_cases();           // 2
[[nodiscard]] std::vector<Case> reserved_bit_cases();   // 3
[[nodiscard]] std::vector<Case> opcode_cases();         // 4
[[nodiscard]] std::vector<Case> fragmentation_cases();  // 5
[[nodiscard]] std::vector<Case> utf8_cases();           // 6
[[nodiscard]] std::vector<Case> close_cases();          // 7
[[nodiscard]] std::vector<Case> limit_cases();          // 9
/// These two are empty without SAKE_WITH_ZLIB, which compresses what the client sends.
[[nodiscard]] std::vector<Case> deflate_cases();  // 12
[[nodiscard]] std::vector<Case> offer_cases();    // 13

}  // namespace harness::ws
