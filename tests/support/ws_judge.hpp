// Judges what a WebSocket server has sent: whether its bytes are frames as servers send them, and whether
// they are what a row of the table demands. Written for the tests alone, so that Sake does not judge itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ws_case.hpp"

namespace harness::ws {

/// The request of a client that opens a WebSocket, with this key: the one of RFC 6455 1.3.
[[nodiscard]] std::string handshake(std::string_view path, std::string_view offer = {},
                                    std::string_view fields = {});
/// What the answer to it has to have in Sec-WebSocket-Accept.
constexpr std::string_view accept_of_handshake = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What was agreed on by permessage-deflate.
struct Agreement {
    bool is_on = false;
    bool server_keeps_window = true;
    bool client_keeps_window = true;
    int server_bits = 15;
    int client_bits = 15;
};

/// Reads the server's Sec-WebSocket-Extensions. What is wrong with it goes to `complaint`: a parameter that
/// is unknown, twice there or without a legal value, or an answer to none of the offers (RFC 7692 7.1).
[[nodiscard]] Agreement read_agreement(std::string_view offer, std::string_view answer,
                                       std::string& complaint);

/// One frame as it came, and for a compressed message its text.
struct Heard {
    int opcode = 0;
    std::string data;
};

/// What a server sends behind the handshake, piece by piece.
class Listener {
  public:
    explicit Listener(const Agreement& agreement);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener();

    void hear(std::string_view bytes);
    [[nodiscard]] const std::vector<Heard>& frames() const { return frames_; }
    /// What is wrong with the bytes so far; "" for nothing.
    [[nodiscard]] const std::string& complaint() const { return complaint_; }
    /// Bytes of a frame that is not whole.
    [[nodiscard]] std::size_t pending() const { return pending_.size(); }

  private:
    struct Head;
    [[nodiscard]] bool read_head(Head& head) const;
    void check_head(const Head& head);
    void complain(std::string text);
    std::string inflated(std::string_view bytes);

    Agreement agreement_;
    std::string pending_;
    std::vector<Heard> frames_;
    std::string complaint_;
    void* inflater_ = nullptr;  // a z_stream
};

/// Whether every reply has come that has to come before the client says farewell.
[[nodiscard]] bool has_all_replies(const Case& row, const std::vector<Heard>& heard);

/// What is wrong with all that the server sent until the connection ended; "" if it is what the row demands.
[[nodiscard]] std::string complaint_about(const Case& row, const Listener& heard);

}  // namespace harness::ws
