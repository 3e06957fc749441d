// The WebSocket conformance table: the closing handshake.
#include <initializer_list>
#include <string>
#include <string_view>

#include "ws_cases.hpp"

namespace harness::ws {
namespace {

using namespace std::string_literals;

// 5.5.1: the answer typically echoes the code.
void add_allowed_codes(Rows& rows) {
    rows.group("7.1", "6455 7.4");
    for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001,
                           3999, 4000, 4001, 4999}) {
        const std::string name = "the code " + std::to_string(code);
        rows.add(name).close(close_frame(code), {code});
        rows.add(name + " with a reason").close(close_frame(code, "a reason"), {code});
    }
}

// 7.4.1 and 7.4.2: codes that stand in no frame.
void add_refused_codes(Rows& rows) {
    rows.group("7.2", "6455 7.4");
    for (const int code :
         {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 32768, 65535}) {
        const std::string name = "the code " + std::to_string(code);
        rows.add(name).send(close_frame(code)).fail({1002});
        rows.add(name + " with a reason").send(close_frame(code, "a reason")).fail({1002});
    }
}

void add_payloads(Rows& rows) {
    rows.group("7.3", "6455 5.5.1");
    rows.add("no payload: the answer has none, or 1000").close(frame(op_close), {1005, 1000});
    for (const char byte : {'\x03', '\xe8', '\0', '\xff'}) {
        rows.add("one byte (" + hex({&byte, 1}) + ") is no code")
            .send(frame(op_close, {&byte, 1}))
            .fail({1002});
    }
    for (const std::size_t size : {0U, 1U, 2U, 122U, 123U}) {
        rows.add("a reason of " + std::to_string(size) + " bytes")
            .close(close_frame(1000, letters(size)), {1000});
    }
    for (const std::size_t size : {124U, 125U, 1000U, 65534U}) {
        rows.add("a reason of " + std::to_string(size) + " bytes is too long for a control frame")
            .send(close_frame(1000, letters(size)))
            .fail({1002});
    }
    rows.add("a length of 16 bits").send(frame(op_close, close_payload(1000)).len16()).fail({1002});
    rows.add("a length of 64 bits").send(frame(op_close, close_payload(1000)).len64()).fail({1002});
    rows.add("the mask 0").close(close_frame(1000, "bye").mask(0), {1000});
}

// 5.5.1 and 8.1: a reason is UTF-8.
void add_reasons(Rows& rows) {
    rows.group("7.4", "6455 5.5.1, 8.1");
    const std::string euro = "\xe2\x82\xac";
    std::string many;
    for (int i = 0; i < 41; ++i) many += euro;
    rows.add("a reason in Greek")
        .close(close_frame(1000, "\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5"), {1000});
    rows.add("a reason of 123 bytes of characters of 3 bytes").close(close_frame(4000, many), {4000});
    rows.add("a reason that is NUL").close(close_frame(1000, "\0"s), {1000});
    rows.add("a reason that looks like a code").close(close_frame(1000, "\x03\x71"), {1000});
    for (const char* bad : {"\x80", "\xff", "\xc0\x80", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                            "\xf5", "\xf8\x88\x80\x80\x80", "\xce", "\xe2\x82", "\xf0\x9f\x8d"}) {
        rows.add("the reason " + hex(bad)).send(close_frame(1000, bad)).fail({1007});
        rows.add("the reason " + hex(bad) + " behind good letters")
            .send(close_frame(1000, letters(80) + bad))
            .fail({1007});
    }
}

// 5.5.1: nothing is sent behind a close frame, so nothing behind one counts.
void add_behind(Rows& rows) {
    rows.group("7.5", "6455 5.5.1");
    struct Thing {
        const char* name;
        std::string bytes;
    };
    const Thing things[] = {
        {"a text", frame(op_text, "late").bytes()},
        {"binary data", frame(op_binary, "late").bytes()},
        {"a ping", frame(op_ping, "late").bytes()},
        {"a pong", frame(op_pong, "late").bytes()},
        {"the same close frame", close_frame(1000).bytes()},
        {"a close frame with another code", close_frame(1001).bytes()},
        {"a continuation", frame(op_more, "late").bytes()},
        {"a frame without a mask", frame(op_text, "late").unmasked().bytes()},
        {"a reserved opcode", frame(3, "late").bytes()},
        {"a text that is no UTF-8", frame(op_text, "\xff").bytes()},
        {"half a frame", frame(op_text, "late").bytes().substr(0, 4)},
        {"bytes that are no frame", std::string(300, '\xff')},
    };
    for (const Thing& each : things) {
        Case& row = rows.add(each.name + " behind a close frame is not looked at"s);
        row.close(close_frame(1000), {1000});
        row.farewell += each.bytes;
    }
}

void add_before(Rows& rows) {
    rows.group("7.6", "6455 5.5.1, 7.1");
    rows.add("a text before the close frame comes back").text("last words");
    rows.add("ten texts before it")
        .text("1")
        .text("2")
        .text("3")
        .text("4")
        .text("5")
        .text("6")
        .text("7")
        .text("8")
        .text("9")
        .text("10");
    rows.add("256 KiB before it").text(letters(262144));
    rows.add("a ping before it").ping("ping");
    rows.add("a message that was begun is lost")
        .send(frame(op_text, "begun").fin(false))
        .close(close_frame(1000), {1000});
    rows.add("half a character was begun")
        .send(frame(op_text, "\xc3").fin(false))
        .close(close_frame(1000), {1000});
    rows.add("a whole text, and one that was begun")
        .text("whole")
        .send(frame(op_text, "begun").fin(false))
        .send(frame(op_more, "on").fin(false))
        .close(close_frame(1001, "done"), {1001});
}

}  // namespace

std::vector<Case> close_cases() {
    Rows rows;
    add_allowed_codes(rows);
    add_refused_codes(rows);
    add_payloads(rows);
    add_reasons(rows);
    add_behind(rows);
    add_before(rows);
    return rows.take();
}

}  // namespace harness::ws
