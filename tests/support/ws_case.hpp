// The rows of the WebSocket tables: frames as clients send them, right or wrong, and what has to come back
// from a server that echoes. No assertions and no sockets here. Sections are those of RFC 6455 and RFC 7692.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace harness::ws {

enum Opcode : int { op_more = 0, op_text = 1, op_binary = 2, op_close = 8, op_ping = 9, op_pong = 10 };

/// One frame of a client: whole, masked by a key that depends on its content alone, and with the shortest
/// length, unless something else is asked for.
class Frame {
  public:
    explicit Frame(int opcode, std::string_view payload = {});

    Frame& fin(bool is_last);
    /// 4 is RSV1, 2 is RSV2, 1 is RSV3.
    Frame& rsv(int bits);
    Frame& mask(std::uint32_t key);
    Frame& unmasked();
    /// The length in 2 or in 8 bytes.
    Frame& len16();
    Frame& len64();
    /// The head announces this length, whatever the payload is.
    Frame& announce(std::uint64_t length);

    [[nodiscard]] std::string bytes() const;

  private:
    [[nodiscard]] std::string head() const;
    [[nodiscard]] int shortest_form() const;

    int opcode_;
    std::string payload_;
    std::uint64_t length_;
    std::uint32_t key_;
    int rsv_ = 0;
    int form_ = 0;  // bytes of the extended length; 0 for the shortest that does
    bool is_short_ = true;
    bool is_last_ = true;
    bool is_masked_ = true;
};

[[nodiscard]] inline Frame frame(int opcode, std::string_view payload = {}) { return Frame(opcode, payload); }
/// A close frame with this code and reason.
[[nodiscard]] Frame close_frame(int code, std::string_view reason = {});
/// The payload of one.
[[nodiscard]] std::string close_payload(int code, std::string_view reason = {});
/// A message in frames of `size` bytes at most; an empty one is one frame. RSV1 is on its first frame if
/// `is_compressed`.
[[nodiscard]] std::vector<Frame> fragments(int opcode, std::string_view payload, std::size_t size,
                                           bool is_compressed = false);

/// So many letters, which differ from place to place.
[[nodiscard]] std::string letters(std::size_t size, unsigned seed = 1);
/// So many bytes of any value, hardly any of which can be foreseen.
[[nodiscard]] std::string noise(std::size_t size, unsigned seed = 1);
/// So many bytes of a text as programs send it, which compresses well.
[[nodiscard]] std::string records(std::size_t size);
/// The character with this number, in UTF-8; surrogates and numbers that are too large as well.
[[nodiscard]] std::string utf8(std::uint32_t code_point);
/// "e0 80 af", for sentences.
[[nodiscard]] std::string hex(std::string_view bytes);

/// A frame that the server sends before it closes.
struct Reply {
    int opcode = op_text;
    std::string data;
};

/// The echo server that a case needs: without compression, with windows that are not kept from message to
/// message on either side (RFC 7692 7.1.1), or with windows of the connection's own.
enum class Server { plain, shared, dedicated };

/// What has to become of the offer of permessage-deflate.
enum class Agreed { no, yes, either };

/// One row. The functions are for its maker, and each returns the row.
struct Case {
    std::string id;       // "6.3.2"
    std::string section;  // "6455 5.2"
    std::string sentence;
    std::string sent;            // behind the handshake
    std::string farewell;        // sent last; the client may wait for the replies before it
    std::vector<Reply> replies;  // text and binary messages in this order; pongs not later than here
    std::vector<int> codes;      // of the server's close frame, one of these; 1005 for none
    bool is_failure = false;     // the server finds a mistake, and answers nothing behind it
    bool is_early = false;       // and has to find it although the rest of the frame never comes
    Server server = Server::plain;
    Agreed agreed = Agreed::no;
    std::string offer;  // the value of Sec-WebSocket-Extensions; "" for none

    Case& send(std::string_view bytes);
    Case& send(const Frame& one);
    Case& send(const std::vector<Frame>& several);
    Case& reply(int opcode, std::string_view data);
    /// A message or ping that is sent in one frame and has to come back.
    Case& text(std::string_view payload);
    Case& binary(std::string_view payload);
    Case& ping(std::string_view payload);
    /// The client closes, and one of these codes comes back. Without it, the row ends with 1000.
    Case& close(const Frame& last, std::vector<int> allowed);
    /// The last frame is a mistake. What is sent behind it is not answered.
    Case& fail(std::vector<int> allowed);
    /// The same, and the bytes until here have to be enough.
    Case& fail_early(std::vector<int> allowed);
    Case& with(Server kind, Agreed expected, std::string_view extensions);
};

/// Makes rows, and numbers them within their group.
class Rows {
  public:
    void group(std::string_view id, std::string_view section);
    Case& add(std::string_view sentence);
    /// All of them, each with an end.
    [[nodiscard]] std::vector<Case> take();

  private:
    std::string group_;
    std::string section_;
    int next_ = 1;
    std::vector<Case> cases_;
};

}  // namespace harness::ws
