// What hostile clients do to a WebSocket.
#include "ws_attacks.hpp"

#include <cstdint>
#include <utility>

#include "ws_case.hpp"
#include "ws_judge.hpp"

namespace harness::ws {
namespace {

using namespace std::string_literals;

class Table {
  public:
    void section(std::string_view name) { section_ = name; }
    Attack& add(std::string_view sentence) {
        rows_.emplace_back();
        Attack& row = rows_.back();
        row.id = "X." + std::to_string(rows_.size());
        row.section = section_;
        row.sentence = sentence;
        return row;
    }
    [[nodiscard]] std::vector<Attack> take() { return std::move(rows_); }

  private:
    std::string section_;
    std::vector<Attack> rows_;
};

std::string bytes(Frame frame) { return frame.bytes(); }

void add_silent(Table& table) {
    table.section("6455 4.2, 10.4");
    const std::string head = handshake("/echo");
    Attack& slow = table.add("a handshake that comes byte by byte, and never ends");
    slow.is_open = false;
    slow.send(head.substr(0, head.size() - 2)).flood("X: y\r\n").slowly();
    Attack& half = table.add("half a handshake, and nothing more");
    half.is_open = false;
    half.send(head.substr(0, head.size() / 2));
    Attack& offers = table.add("a handshake with thousands of offers");
    offers.is_open = false;
    offers.send(head.substr(0, head.size() - 2))
        .send("Sec-WebSocket-Extensions: ")
        .flood("permessage-deflate, ");
    table.section("6455 5.5.2");
    table.add("silence behind the handshake, pings not answered");
    table.add("silence, and nothing is read").without_reading();
    table.section("6455 5.2");
    const std::string frame_of_1000 = bytes(frame(op_binary, noise(1000)));
    for (std::size_t size = 1; size <= 9; ++size) {
        table.add("silence behind byte " + std::to_string(size) + " of a frame")
            .send(frame_of_1000.substr(0, size));
    }
    table.add("half a message, and silence").send(bytes(frame(op_text, letters(100)).fin(false)));
    table.add("half a character, and silence").send(bytes(frame(op_text, "\xc3").fin(false)));
    table.add("1 MiB is announced, and comes byte by byte")
        .send(bytes(frame(op_binary).announce(1 << 20)))
        .flood("x")
        .slowly();
}

void add_floods(Table& table) {
    table.section("6455 5.5.2, 5.5.3");
    table.add("pings without end, pongs read").flood(bytes(frame(op_ping, letters(125))));
    table.add("pings without end, pongs not read")
        .flood(bytes(frame(op_ping, letters(125))))
        .without_reading();
    table.add("empty pings without end, inside a message, pongs not read")
        .send(bytes(frame(op_text, "begun").fin(false)))
        .flood(bytes(frame(op_ping)))
        .without_reading();
    table.add("pongs without end").flood(bytes(frame(op_pong, letters(125))));
    table.section("6455 5.4");
    table.add("empty fragments without end")
        .send(bytes(frame(op_text).fin(false)))
        .flood(bytes(frame(op_more).fin(false)))
        .closed_with({1008});
    table.add("fragments of one byte without end")
        .send(bytes(frame(op_binary, "x").fin(false)))
        .flood(bytes(frame(op_more, "x").fin(false)))
        .closed_with({1008});
    table.add("fragments of 64 KiB without end")
        .send(bytes(frame(op_binary, noise(65536)).fin(false)))
        .flood(bytes(frame(op_more, noise(65536)).fin(false)))
        .closed_with({1009});
    table.section("6455 5.6");
    table.add("empty messages without end, echoes not read").flood(bytes(frame(op_text))).without_reading();
    table.add("messages of 1 byte without end, byte by byte").flood(bytes(frame(op_text, "x"))).slowly();
    table.add("messages of 64 KiB without end, echoes not read")
        .flood(bytes(frame(op_binary, noise(65536))))
        .without_reading();
    table.section("6455 5.5.1");
    table.add("bytes without end behind a close frame")
        .send(close_frame(1000).bytes())
        .flood(noise(1000))
        .closed_with({1000});
    table.add("bytes without end behind a mistake")
        .send(bytes(frame(3)))
        .flood(noise(1000))
        .without_reading();
}

void add_lengths(Table& table) {
    table.section("6455 5.2, 10.4");
    table.add("2 to the 63 minus 1 bytes are announced")
        .send(bytes(frame(op_binary).announce(0x7FFFFFFFFFFFFFFF)))
        .closed_with({1009});
    table.add("2 to the 63 bytes are announced")
        .send(bytes(frame(op_binary).announce(0x8000000000000000)))
        .closed_with({1002});
    table.add("a good fragment, and 2 to the 63 minus 1 bytes are announced in the next")
        .send(bytes(frame(op_binary, "good").fin(false)))
        .send(bytes(frame(op_more).announce(0x7FFFFFFFFFFFFFFF)))
        .closed_with({1009});
    table.add("a ping of 2 to the 63 minus 1 bytes")
        .send(bytes(frame(op_ping).announce(0x7FFFFFFFFFFFFFFF)))
        .closed_with({1002});
    table.add("1 MiB is announced, and none comes").send(bytes(frame(op_binary).announce(1 << 20)));
}

void add_departures(Table& table) {
    const std::string text = bytes(frame(op_text, "text"));
    for (const Leave how : {Leave::half_closes, Leave::resets}) {
        const std::string name = how == Leave::resets ? "a reset " : "a half close ";
        table.section("6455 7.1.1");
        table.add(name + "behind the handshake").leaves(how);
        table.add(name + "inside the head of a frame").send(text.substr(0, 3)).leaves(how);
        table.add(name + "inside the payload of a frame").send(text.substr(0, 8)).leaves(how);
        table.add(name + "behind a message").send(text).leaves(how);
        table.add(name + "between two fragments").send(bytes(frame(op_text, "text").fin(false))).leaves(how);
        table.add(name + "behind a close frame").send(close_frame(1000).bytes()).leaves(how);
        table.add(name + "behind a mistake").send(bytes(frame(3))).leaves(how);
        table.add(name + "behind 1 MiB, whose echo is not read")
            .send(bytes(frame(op_binary, noise(1 << 20))))
            .without_reading()
            .leaves(how);
    }
    table.add("a close frame, and the connection stays open at this end")
        .send(close_frame(1000).bytes())
        .closed_with({1000});
    table.add("a mistake, and the connection stays open at this end")
        .send(bytes(frame(3)))
        .closed_with({1002});
}

// Payloads as RFC 1951 has them: "\x02\x00" are blocks with fixed codes and nothing in them.
void add_deflated(Table& table) {
    table.section("7692 7.2, 6455 10.4");
    std::string empty_blocks;
    for (int i = 0; i < 1000; ++i) empty_blocks += "\x00\x00\x00\xff\xff"s;
    table.add("stored blocks of nothing without end, in fragments")
        .send(bytes(frame(op_text, empty_blocks).rsv(4).fin(false)))
        .flood(bytes(frame(op_more, empty_blocks).fin(false)))
        .deflated()
        .closed_with({1008, 1009});
    table.add("a message in compressed fragments that is never ended")
        .send(bytes(frame(op_text, "\xf2\x48\xcd").rsv(4).fin(false)))
        .deflated();
    table.add("malformed blocks, message by message")
        .flood(bytes(frame(op_text, "\x07").rsv(4)))
        .deflated()
        .closed_with({1007});
    table.add("empty compressed messages without end, echoes not read")
        .flood(bytes(frame(op_text, "\0"s).rsv(4)))
        .without_reading()
        .deflated();
}

}  // namespace

Attack& Attack::send(std::string_view bytes) {
    begin += bytes;
    return *this;
}

Attack& Attack::flood(std::string_view bytes) {
    unit = bytes;
    return *this;
}

Attack& Attack::slowly() {
    pace = Pace::byte_by_byte;
    return *this;
}

Attack& Attack::without_reading() {
    reads = false;
    return *this;
}

Attack& Attack::leaves(Leave how) {
    leave = how;
    return *this;
}

Attack& Attack::closed_with(std::vector<int> allowed) {
    codes = std::move(allowed);
    return *this;
}

Attack& Attack::deflated() {
    is_deflated = true;
    return *this;
}

std::vector<Attack> attacks() {
    Table table;
    add_silent(table);
    add_floods(table);
    add_lengths(table);
    add_departures(table);
    add_deflated(table);
    return table.take();
}

std::string good_conversation() {
    return handshake("/echo") + frame(op_text, "one").bytes() + frame(op_ping, "ping").bytes() +
           frame(op_text, "two ").fin(false).bytes() + frame(op_pong, "pong").bytes() +
           frame(op_more, "three").bytes() + frame(op_binary, noise(200)).bytes() +
           close_frame(1000, "bye").bytes();
}

}  // namespace harness::ws
