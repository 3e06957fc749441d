// What hostile clients do to a WebSocket, as a table for tests with time limits, many connections and memory
// bounds. Each row holds back, floods or leaves; none may keep a connection, memory or a thread for long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace harness::ws {

/// How a client ends what it does.
enum class Leave {
    stays,        // it says nothing more, and keeps the connection
    half_closes,  // it sends no more, and reads
    resets
};

/// How its bytes come.
enum class Pace { at_once, byte_by_byte };

/// One row. The functions are for its maker, and each returns the row.
struct Attack {
    std::string id;
    std::string section;
    std::string sentence;
    bool is_open = true;  // behind a handshake; else `begin` is all that the server gets
    std::string begin;    // sent once
    std::string unit;     // then this, over and over, until the server ends the connection or reads no more
    Pace pace = Pace::at_once;
    bool reads = true;  // what the server sends
    Leave leave = Leave::stays;
    std::vector<int> codes;  // the server closes with one of these; empty if it may end without a close frame
    bool is_deflated = false;  // needs permessage-deflate

    Attack& send(std::string_view bytes);
    Attack& flood(std::string_view bytes);
    Attack& slowly();
    Attack& without_reading();
    Attack& leaves(Leave how);
    Attack& closed_with(std::vector<int> allowed);
    Attack& deflated();
};

[[nodiscard]] std::vector<Attack> attacks();

/// A good conversation, handshake included: a client may vanish behind each of its bytes, and the server must
/// bear it.
[[nodiscard]] std::string good_conversation();

}  // namespace harness::ws
