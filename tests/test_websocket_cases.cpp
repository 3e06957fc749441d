// WebSocket by its table: each row of support/ws_cases.hpp over memory and over sockets, whole and byte by
// byte, and each of the handshakes and attacks beside it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"
#include "support/ws_attacks.hpp"
#include "support/ws_cases.hpp"
#include "support/ws_handshakes.hpp"
#include "support/ws_judge.hpp"

namespace test_websocket_cases {

using namespace harness;
namespace ws = harness::ws;

namespace {

#ifdef SAKE_WITH_ZLIB
constexpr bool can_deflate = true;
#else
constexpr bool can_deflate = false;
#endif

// ---- the server

sake::Task<> echo(sake::WebSocket& socket) {
    while (true) {
        const auto message = co_await socket.receive();
        if (!message) break;
        co_await socket.send(*message);
    }
}

sake::WebSocketOptions options_of(ws::Server server) {
    sake::WebSocketOptions options;
    options.max_message = ws::max_message;
    options.max_fragments = static_cast<int>(ws::max_fragments);
    options.compression = server == ws::Server::plain    ? sake::WebSocketCompression::off
                          : server == ws::Server::shared ? sake::WebSocketCompression::shared
                                                         : sake::WebSocketCompression::dedicated;
    options.window_bits = 15;
    return options;
}

std::string_view path_of(ws::Server server) {
    return server == ws::Server::plain ? "/echo" : server == ws::Server::shared ? "/shared" : "/dedicated";
}

void add_echoes(sake::Engine& app) {
    app.ws("/echo", echo, options_of(ws::Server::plain));
    app.ws("/shared", echo, options_of(ws::Server::shared));
    app.ws("/dedicated", echo, options_of(ws::Server::dedicated));
}

void add_chats(sake::Engine& app) {
    sake::WebSocketOptions options = options_of(ws::Server::plain);
    app.ws("/echo", echo, options);
    options.protocols = ws::chat_protocols;
    options.origins = ws::chat_origins;
    app.ws("/chat", echo, options);
    options.origins = {"*"};
    app.ws("/any", echo, options);
    app.get("/page", [](sake::Context& ctx) { ctx.text("a page"); });
}

// ---- the wires: two kinds of client with the same functions

/// Over memory, in the thread of the server.
class MemoryWire {
  public:
    explicit MemoryWire(sake::TestClient& client) : connection_(client.connect()) {}

    /// In pieces of this size, each of which the server sees by itself. Ends when the server does.
    void send(std::string_view bytes, std::size_t piece) {
        try {
            while (!bytes.empty()) {
                connection_.send(bytes.substr(0, piece));
                bytes.remove_prefix(std::min(piece, bytes.size()));
                if (!bytes.empty()) received_ += connection_.receive_now();
            }
        } catch (const std::system_error&) {
            // It has closed: what it has said before is what counts.
        }
    }
    /// "" at the end.
    std::string receive() {
        if (!received_.empty()) return std::exchange(received_, {});
        try {
            return connection_.receive();
        } catch (const std::system_error&) {
            return {};  // a reset, behind all that has come
        }
    }

  private:
    sake::TestConnection connection_;
    std::string received_;
};

/// Over a socket.
class SocketWire {
  public:
    explicit SocketWire(const TestServer& server) : client_(server.connect()) { client_.set_deadline(20s); }

    /// Reads meanwhile, so that a long echo does not hold up either side.
    void send(std::string_view bytes, std::size_t piece) {
        while (!bytes.empty() && !client_.was_reset()) {
            const std::size_t sent = client_.try_send(bytes.substr(0, piece));
            bytes.remove_prefix(sent);
            if (sent == 0 && !client_.was_reset() && !client_.expect_silence(1ms))
                received_ += receive_more();
        }
    }
    std::string receive() { return received_.empty() ? receive_more() : std::exchange(received_, {}); }

  private:
    std::string receive_more() {
        try {
            return client_.read_some(65536);
        } catch (const std::runtime_error&) {
            if (client_.was_reset()) return {};
            throw;
        }
    }

    RawClient client_;
    std::string received_;
};

// ---- one row

/// The head of the answer. What comes behind it is appended to `rest`.
template <class Wire>
std::string read_head(Wire& wire, std::string& rest) {
    std::string text;
    std::size_t end = std::string::npos;
    while (end == std::string::npos) {
        const std::string more = wire.receive();
        if (more.empty()) return text;
        text += more;
        end = text.find("\r\n\r\n");
    }
    rest += text.substr(end + 4);
    return text.substr(0, end + 4);
}

std::string field_of(const ws::AnswerHead& head, std::string_view name) {
    for (const auto& [its_name, value] : head.fields) {
        if (sake::iequals(its_name, name)) return value;
    }
    return {};
}

/// What is wrong with the answer to a row's handshake, and what was agreed on.
std::string complaint_about_opening(const ws::Case& row, const std::string& head, ws::Agreement& agreement) {
    const ws::AnswerHead answer = ws::read_answer_head(head);
    if (answer.status != 101) return "the handshake is answered with " + std::to_string(answer.status);
    std::string complaint;
    agreement = ws::read_agreement(row.offer, field_of(answer, "Sec-WebSocket-Extensions"), complaint);
    const bool is_right =
        row.agreed == ws::Agreed::either || agreement.is_on == (row.agreed == ws::Agreed::yes);
    return is_right ? complaint : "the offer is not answered as it should be";
}

template <class Wire>
std::string complaint_about(Wire wire, const ws::Case& row, std::size_t piece) {
    wire.send(ws::handshake(path_of(row.server), row.offer), std::string::npos);
    std::string rest;
    ws::Agreement agreement;
    std::string complaint = complaint_about_opening(row, read_head(wire, rest), agreement);
    if (!complaint.empty()) return complaint;
    ws::Listener listener(agreement);
    listener.hear(rest);
    wire.send(row.sent + row.farewell, piece);
    for (std::string more = wire.receive(); !more.empty(); more = wire.receive()) listener.hear(more);
    return ws::complaint_about(row, listener);
}

void expect(const ws::Case& row, std::string_view how, const std::string& complaint) {
    CHECK_MESSAGE(complaint.empty(), row.id, " (RFC ", row.section, ") ", row.sentence, ", ", how, ": ",
                  complaint);
}

constexpr std::size_t whole = std::string::npos;
/// Bytes one by one where there are few; else pieces whose borders are everywhere.
std::size_t small_piece(const ws::Case& row) {
    return row.sent.size() < 2048 ? 1 : row.sent.size() < 65536 ? 97 : 9973;
}

void check(const std::vector<ws::Case>& rows) {
    with_client(
        add_echoes,
        [&](sake::TestClient& client) {
            for (const ws::Case& row : rows) {
                expect(row, "over memory", complaint_about(MemoryWire(client), row, whole));
                expect(row, "over memory, in pieces",
                       complaint_about(MemoryWire(client), row, small_piece(row)));
            }
        },
        quiet_config());
    with_server(
        add_echoes,
        [&](TestServer& server) {
            for (const ws::Case& row : rows) {
                expect(row, "over a socket", complaint_about(SocketWire(server), row, whole));
                if (row.sent.size() >= 2048) continue;
                expect(row, "over a socket, byte by byte", complaint_about(SocketWire(server), row, 1));
            }
        },
        quiet_config());
}

std::vector<ws::Case> all_cases() {
    std::vector<ws::Case> all;
    for (const auto part : {ws::framing_cases, ws::ping_cases, ws::reserved_bit_cases, ws::opcode_cases,
                            ws::fragmentation_cases, ws::utf8_cases, ws::close_cases, ws::limit_cases,
                            ws::deflate_cases, ws::offer_cases}) {
        for (ws::Case& row : part()) all.push_back(std::move(row));
    }
    return all;
}

}  // namespace

TEST_CASE("WebSocket 0: the table has more rows than Autobahn has cases, each with an id and a section") {
    const std::vector<ws::Case> rows = all_cases();
    std::set<std::string> ids;
    std::set<std::string> sentences;
    for (const ws::Case& row : rows) {
        CHECK_MESSAGE(ids.insert(row.id).second, row.id, " is there twice");
        const std::string group = row.id.substr(0, row.id.rfind('.'));
        CHECK_MESSAGE(sentences.insert(group + row.sentence).second, row.id, " says what another row says");
        CHECK_MESSAGE((row.section.starts_with("6455 ") || row.section.starts_with("7692 ")), row.id);
        CHECK_MESSAGE(row.codes.empty() == false, row.id, " has no end");
    }
#ifdef SAKE_WITH_ZLIB
    CHECK(rows.size() >= 1200);
#else
    CHECK(rows.size() >= 800);
#endif
}

TEST_CASE("WebSocket 1: frames of every size come back, and lengths and masks are as they have to be") {
    check(ws::framing_cases());
}

TEST_CASE("WebSocket 2: pings are answered by pongs, which are not answered") { check(ws::ping_cases()); }

TEST_CASE("WebSocket 3: a reserved bit is a mistake if no extension has a use for it") {
    check(ws::reserved_bit_cases());
}

TEST_CASE("WebSocket 4: a reserved opcode is a mistake") { check(ws::opcode_cases()); }

TEST_CASE("WebSocket 5: a message in fragments comes back whole, and control frames may be between") {
    check(ws::fragmentation_cases());
}

TEST_CASE("WebSocket 6: a text is UTF-8, and its first bad byte is a mistake") { check(ws::utf8_cases()); }

TEST_CASE("WebSocket 7: a close frame is answered by one, and nothing behind it counts") {
    check(ws::close_cases());
}

TEST_CASE("WebSocket 9: messages have limits, and each limit has its code") { check(ws::limit_cases()); }

#ifdef SAKE_WITH_ZLIB

TEST_CASE("WebSocket 12: compressed messages come back, and what does not inflate is a mistake") {
    check(ws::deflate_cases());
}

TEST_CASE("WebSocket 13: offers of compression are answered as RFC 7692 has it") { check(ws::offer_cases()); }

#endif

// ---- handshakes

namespace {

template <class Wire>
void check_handshake(Wire wire, const ws::Handshake& row, std::size_t piece) {
    wire.send(row.request, piece);
    std::string rest;
    const std::string complaint = ws::complaint_about(row, ws::read_answer_head(read_head(wire, rest)));
    CHECK_MESSAGE(complaint.empty(), row.id, " (RFC 6455 ", row.section, ") ", row.sentence, ": ", complaint);
}

}  // namespace

TEST_CASE("WebSocket: every row of the table of handshakes has its answer") {
    const std::vector<ws::Handshake> rows = ws::handshakes();
    CHECK(rows.size() >= 150);
    with_client(
        add_chats,
        [&](sake::TestClient& client) {
            for (const ws::Handshake& row : rows) {
                check_handshake(MemoryWire(client), row, whole);
                check_handshake(MemoryWire(client), row, 1);
            }
        },
        quiet_config());
    with_server(
        add_chats,
        [&](TestServer& server) {
            for (const ws::Handshake& row : rows) check_handshake(SocketWire(server), row, whole);
        },
        quiet_config());
}

// ---- attacks

namespace {

/// One attacker over memory, in virtual time.
class Attacker {
  public:
    Attacker(sake::TestClient& client, const ws::Attack& row)
        : client_(client), row_(row), connection_(row.reads ? client.connect() : client.connect(4096)) {}

    /// What the server has sent behind its handshake, if that is read.
    std::string run() {
        try {
            if (row_.is_open) open();
            send(row_.begin);
            for (int i = 0; i < 2000 && !row_.unit.empty() && !has_ended_; ++i) send(row_.unit);
            leave();
        } catch (const std::system_error&) {
            // The server has closed, or reset.
        }
        return std::move(received_);
    }

  private:
    void open() {
        const std::string_view path = row_.is_deflated ? "/shared" : "/echo";
        connection_.send(ws::handshake(path, row_.is_deflated ? "permessage-deflate" : ""));
        std::string head;
        for (std::string more = "?"; !more.empty() && !head.ends_with("\r\n\r\n"); head += more) {
            more = connection_.receive();
        }
    }
    void send(std::string_view bytes) {
        const std::size_t piece = row_.pace == ws::Pace::at_once ? bytes.size() : 1;
        for (; !bytes.empty() && !has_ended_; bytes.remove_prefix(piece)) {
            if (row_.pace == ws::Pace::byte_by_byte) client_.advance(1s);
            connection_.send(bytes.substr(0, piece));
            if (row_.reads) receive();
        }
    }
    void receive() {
        received_ += connection_.receive_now();
        has_ended_ = connection_.is_closed();
    }
    void leave() {
        if (row_.leave == ws::Leave::half_closes && !has_ended_) connection_.half_close();
        if (row_.leave == ws::Leave::resets) return connection_.reset();
        client_.advance(1h);
        if (row_.reads) receive();
        if (!row_.reads) connection_.send("x");  // throws if the server has closed
        CHECK_MESSAGE(has_ended_, row_.id, " ", row_.sentence, ": still connected after an hour");
    }

    sake::TestClient& client_;
    const ws::Attack& row_;
    sake::TestConnection connection_;
    std::string received_;
    bool has_ended_ = false;
};

/// The code of the close frame at the end; 1005 for one without, and 0 if there is none.
int close_code_at_the_end(const std::string& received) {
    const ws::Agreement agreement{true};
    ws::Listener listener(agreement);
    listener.hear(received);
    if (listener.frames().empty() || listener.frames().back().opcode != ws::op_close) return 0;
    const std::string& data = listener.frames().back().data;
    if (data.size() < 2) return 1005;
    return static_cast<unsigned char>(data[0]) << 8 | static_cast<unsigned char>(data[1]);
}

}  // namespace

TEST_CASE("WebSocket: no attack of the table holds a connection for an hour") {
    for (const ws::Attack& row : ws::attacks()) {
        if (row.is_deflated && !can_deflate) continue;
        CAPTURE(row.id);
        CAPTURE(row.sentence);
        with_client(
            add_echoes,
            [&](sake::TestClient& client) {
                const int code = close_code_at_the_end(Attacker(client, row).run());
                const bool is_right = row.codes.empty() ||
                                      std::find(row.codes.begin(), row.codes.end(), code) != row.codes.end();
                CHECK_MESSAGE(is_right, row.id, " ", row.sentence, ": closed with ", code);
            },
            quiet_config());
    }
}

TEST_CASE("WebSocket: a client may vanish behind each byte of a conversation") {
    const std::string all = ws::good_conversation();
    with_client(
        add_echoes,
        [&](sake::TestClient& client) {
            for (std::size_t size = 0; size <= all.size(); ++size) {
                sake::TestConnection connection = client.connect();
                connection.send(std::string_view(all).substr(0, size));
                client.advance(0s);
                connection.reset();
            }
        },
        quiet_config());
    with_server(
        add_echoes,
        [&](TestServer& server) {
            for (std::size_t size = 0; size <= all.size(); ++size) {
                RawClient client = server.connect();
                client.send(std::string_view(all).substr(0, size));
                client.reset();
            }
        },
        quiet_config());
}

}  // namespace test_websocket_cases
