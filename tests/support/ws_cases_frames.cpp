// The WebSocket conformance table: single frames, pings and pongs, reserved bits and reserved opcodes.
#include <initializer_list>
#include <string>
#include <string_view>

#include "ws_cases.hpp"

namespace harness::ws {
namespace {

using namespace std::string_literals;

// On both sides of every border between the forms of a length, and of what buffers often are.
constexpr std::size_t sizes[] = {0,     1,     2,     16,    124,   125,   126,   127,
                                 128,   255,   256,   1000,  4095,  4096,  4097,  16384,
                                 32767, 32768, 65534, 65535, 65536, 65537, 131072};

std::string count(std::size_t size) { return std::to_string(size) + (size == 1 ? " byte" : " bytes"); }

void add_sizes(Rows& rows) {
    rows.group("1.1", "6455 5.2");
    for (const std::size_t size : sizes) rows.add("a text of " + count(size)).text(letters(size));
    rows.group("1.2", "6455 5.2");
    for (const std::size_t size : sizes) rows.add("binary data of " + count(size)).binary(noise(size));
}

void add_masks(Rows& rows) {
    rows.group("1.3", "6455 5.3");
    for (const std::uint32_t key :
         {0x00000000U, 0xFFFFFFFFU, 0x01000000U, 0x00000001U, 0x80808080U, 0x20202020U}) {
        rows.add("a text of 67 bytes under the mask " + std::to_string(key))
            .send(frame(op_text, letters(67)).mask(key))
            .reply(op_text, letters(67));
    }
    for (std::size_t size = 1; size <= 9; ++size) {
        rows.add("the mask starts anew with each of two frames of " + count(size))
            .send(frame(op_binary, noise(size, 3)).mask(0x12345678))
            .send(frame(op_binary, noise(size, 4)).mask(0x9ABCDEF0))
            .reply(op_binary, noise(size, 3))
            .reply(op_binary, noise(size, 4));
    }
    rows.add("masked bytes that look like frames are data")
        .binary(frame(op_close, "\x03\xe8"s).bytes() + "\x89\x80"s);
}

void add_sequences(Rows& rows) {
    rows.group("1.4", "6455 5.6");
    rows.add("two texts, one behind the other").text("one").text("two");
    rows.add("a text, binary data and a text").text("one").binary("two").text("three");
    rows.add("the same bytes as a text and as binary data").text("same").binary("same");
    rows.add("an empty text between two others").text("one").text("").text("two");
    rows.add("empty binary data between two others").binary("one").binary("").binary("two");
    Case& many = rows.add("a hundred messages keep their order");
    for (int i = 0; i < 100; ++i) many.text(std::to_string(i));
    Case& growing = rows.add("messages of 0 to 200 bytes, in turn text and binary");
    for (std::size_t i = 0; i <= 200; ++i) i % 2 == 0 ? growing.text(letters(i)) : growing.binary(noise(i));
    rows.add("a long text, then a short one").text(letters(70000)).text("short");
    rows.add("no message at all");
    rows.add("a text with every ASCII character").text([] {
        std::string all;
        for (char c = 0; c < 127; ++c) all += c;
        return all;
    }());
    rows.add("binary data with every byte").binary([] {
        std::string all;
        for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
        return all;
    }());
}

// 5.2: the minimal number of bytes must be used, and the most significant bit must be 0.
void add_lengths(Rows& rows) {
    rows.group("1.5", "6455 5.2");
    for (const std::size_t size : {0U, 1U, 125U}) {
        rows.add("a text of " + count(size) + " with a length of 16 bits")
            .send(frame(op_text, letters(size)).len16())
            .fail({1002});
    }
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U}) {
        rows.add("binary data of " + count(size) + " with a length of 64 bits")
            .send(frame(op_binary, noise(size)).len64())
            .fail({1002});
    }
    for (const std::uint64_t length : {0x8000000000000000U, 0x8000000000000001U, 0xFFFFFFFFFFFFFFFFU}) {
        rows.add("a length with its highest bit set, and " + std::to_string(length & 0xFFU) +
                 " in its last byte")
            .send(frame(op_binary).announce(length).len64())
            .fail_early({1002});
    }
    rows.add("a good text before a length that is too long a form")
        .text("good")
        .send(frame(op_text, "bad").len16())
        .fail({1002});
}

// 5.1: a server must close if a frame is not masked.
void add_unmasked(Rows& rows) {
    rows.group("1.6", "6455 5.1");
    struct Kind {
        int opcode;
        const char* name;
    };
    for (const Kind kind : {Kind{op_text, "text"}, Kind{op_binary, "binary"}, Kind{op_ping, "ping"},
                            Kind{op_pong, "pong"}, Kind{op_close, "close"}}) {
        rows.add("a "s + kind.name + " frame without a mask")
            .send(frame(kind.opcode, close_payload(1000)).unmasked())
            .fail({1002});
        rows.add("an empty "s + kind.name + " frame without a mask, behind a good text")
            .text("good")
            .send(frame(kind.opcode).unmasked())
            .fail({1002});
    }
    rows.add("a continuation without a mask")
        .send(frame(op_text, "begun").fin(false))
        .send(frame(op_more, "ended").unmasked())
        .fail({1002});
    rows.add("two bytes of a frame show that it has no mask")
        .send(frame(op_text).announce(70000).unmasked().bytes().substr(0, 2))
        .fail_early({1002});
}

void add_pings(Rows& rows) {
    rows.group("2.1", "6455 5.5.2");
    for (const std::size_t size : {0U, 1U, 2U, 5U, 64U, 124U, 125U}) {
        rows.add("a ping of " + count(size) + " comes back as a pong").ping(letters(size));
    }
    rows.add("a ping need not be UTF-8").ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"s);
    rows.add("125 bytes that are not UTF-8").ping(std::string(125, '\xfe'));
    rows.add("a ping under the mask 0").send(frame(op_ping, "plain").mask(0)).reply(op_pong, "plain");
    rows.add("a ping that looks like a close frame inside").ping(close_payload(1000, "bye"));
    rows.group("2.2", "6455 5.5.2");
    rows.add("a ping before a text").ping("first").text("second");
    rows.add("a ping behind a text").text("first").ping("second");
    rows.add("pings around texts").ping("a").text("1").ping("b").text("2").ping("c");
    rows.add("the same ping twice").ping("same").ping("same");
    for (const int many : {2, 10, 100}) {
        Case& row = rows.add(std::to_string(many) + " pings, the last of which has to be answered (5.5.3)");
        for (int i = 0; i < many; ++i) row.ping("ping " + std::to_string(i));
    }
    rows.add("a ping, and a close behind it").ping("last").close(close_frame(1001), {1001});
}

void add_long_controls(Rows& rows) {
    rows.group("2.3", "6455 5.5");
    for (const int opcode : {op_ping, op_pong}) {
        const std::string name = opcode == op_ping ? "a ping of " : "a pong of ";
        for (const std::size_t size : {126U, 127U, 128U, 256U, 65535U, 65536U}) {
            rows.add(name + count(size)).send(frame(opcode, letters(size))).fail({1002});
        }
        rows.add(name + "126 bytes, of which none comes")
            .send(frame(opcode).announce(126))
            .fail_early({1002});
        rows.add(name + "5 bytes with a length of 16 bits").send(frame(opcode, "12345").len16()).fail({1002});
        rows.add(name + "5 bytes with a length of 64 bits").send(frame(opcode, "12345").len64()).fail({1002});
    }
    rows.add("two bytes show that a ping is too long")
        .send(frame(op_ping).announce(126).bytes().substr(0, 2))
        .fail_early({1002});
}

void add_pongs(Rows& rows) {
    rows.group("2.4", "6455 5.5.3");
    for (const std::size_t size : {0U, 1U, 125U}) {
        rows.add("a pong of " + count(size) + " that was not asked for").send(frame(op_pong, letters(size)));
    }
    rows.add("a pong, and a text behind it").send(frame(op_pong, "here")).text("text");
    rows.add("a pong, and a ping behind it").send(frame(op_pong, "here")).ping("there");
    rows.add("a ping, and a pong with its payload").ping("same").send(frame(op_pong, "same"));
    rows.add("a pong that is not UTF-8").send(frame(op_pong, "\xff\xfe"));
    Case& many = rows.add("a hundred pongs are not answered");
    for (int i = 0; i < 100; ++i) many.send(frame(op_pong, std::to_string(i)));
    many.text("still here");
}

struct Carrier {
    int opcode;
    const char* name;
    const char* payload;
};

constexpr Carrier carriers[] = {
    {op_text, "a text", "text"}, {op_binary, "binary data", "data"},      {op_ping, "a ping", "ping"},
    {op_pong, "a pong", "pong"}, {op_close, "a close frame", "\x03\xe9"}, {op_text, "an empty text", ""}};

// 5.2: nothing but an extension that was agreed on gives the bits a meaning.
void add_reserved_bits(Rows& rows) {
    for (int bits = 1; bits < 8; ++bits) {
        const std::string name = " with the reserved bits " + std::to_string(bits);
        rows.group("3." + std::to_string(bits), "6455 5.2");
        for (const Carrier& each : carriers) {
            rows.add(each.name + name).send(frame(each.opcode, each.payload).rsv(bits)).fail({1002});
        }
        rows.add("a continuation" + name)
            .send(frame(op_text, "begun").fin(false))
            .send(frame(op_more, "ended").rsv(bits))
            .fail({1002});
        rows.add("a good text and a ping before a text" + name)
            .text("good")
            .ping("good")
            .send(frame(op_text, "bad").rsv(bits))
            .fail({1002});
        rows.add("one byte of a text" + name)
            .send(frame(op_text).rsv(bits).bytes().substr(0, 1))
            .fail_early({1002});
    }
}

void add_reserved_opcode(Rows& rows, int opcode) {
    const std::string name = "the opcode " + std::to_string(opcode);
    rows.add(name + ", empty").send(frame(opcode)).fail({1002});
    rows.add(name + " with a payload").send(frame(opcode, "payload")).fail({1002});
    rows.add(name + " without FIN").send(frame(opcode, "payload").fin(false)).fail({1002});
    rows.add(name + " behind a good text and a ping")
        .text("good")
        .ping("good")
        .send(frame(opcode, "bad"))
        .fail({1002});
    rows.add(name + " between two fragments")
        .send(frame(op_text, "begun").fin(false))
        .send(frame(opcode))
        .fail({1002});
    rows.add("one byte with " + name).send(frame(opcode).bytes().substr(0, 1)).fail_early({1002});
}

}  // namespace

std::vector<Case> framing_cases() {
    Rows rows;
    add_sizes(rows);
    add_masks(rows);
    add_sequences(rows);
    add_lengths(rows);
    add_unmasked(rows);
    return rows.take();
}

std::vector<Case> ping_cases() {
    Rows rows;
    add_pings(rows);
    add_long_controls(rows);
    add_pongs(rows);
    return rows.take();
}

std::vector<Case> reserved_bit_cases() {
    Rows rows;
    add_reserved_bits(rows);
    return rows.take();
}

std::vector<Case> opcode_cases() {
    Rows rows;
    for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
        rows.group("4." + std::to_string(opcode), opcode < 8 ? "6455 5.2" : "6455 5.5");
        add_reserved_opcode(rows, opcode);
    }
    return rows.take();
}

}  // namespace harness::ws
