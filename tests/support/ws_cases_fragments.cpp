// The WebSocket conformance table: messages in fragments, and the limits of their size and number.
#include <initializer_list>
#include <string>
#include <string_view>

#include "ws_cases.hpp"

namespace harness::ws {
namespace {

std::string count(std::size_t size, const char* what) {
    return std::to_string(size) + " " + what + (size == 1 ? "" : "s");
}

void add_whole_messages(Rows& rows) {
    rows.group("5.1", "6455 5.4");
    for (const int opcode : {op_text, op_binary}) {
        const std::string name = opcode == op_text ? "a text" : "binary data";
        for (const std::size_t pieces : {2U, 3U, 4U, 10U, 100U}) {
            const std::string data = letters(pieces * 7, static_cast<unsigned>(pieces));
            rows.add(name + " in " + count(pieces, "fragment"))
                .send(fragments(opcode, data, 7))
                .reply(opcode, data);
        }
        rows.add(name + " in fragments of one byte")
            .send(fragments(opcode, "letter", 1))
            .reply(opcode, "letter");
        rows.add(name + " in fragments of 126 bytes")
            .send(fragments(opcode, letters(1000), 126))
            .reply(opcode, letters(1000));
        rows.add(name + " in fragments of 65536 bytes")
            .send(fragments(opcode, letters(200000), 65536))
            .reply(opcode, letters(200000));
    }
    rows.add("two messages in fragments, one behind the other")
        .send(fragments(op_text, "the first", 4))
        .send(fragments(op_binary, "the second", 3))
        .reply(op_text, "the first")
        .reply(op_binary, "the second");
    rows.add("a message in fragments between whole ones")
        .text("before")
        .send(fragments(op_text, "between", 2))
        .reply(op_text, "between")
        .text("behind");
    rows.add("fragments that grow")
        .send(frame(op_text, letters(1)).fin(false))
        .send(frame(op_more, letters(300)).fin(false))
        .send(frame(op_more, letters(70000)))
        .reply(op_text, letters(1) + letters(300) + letters(70000));
    rows.add("fragments under masks of their own, lengths that are no multiple of 4")
        .send(frame(op_binary, "abc").fin(false).mask(0x01020304))
        .send(frame(op_more, "defgh").fin(false).mask(0xFFEEDDCC))
        .send(frame(op_more, "i").mask(0))
        .reply(op_binary, "abcdefghi");
}

// 5.4: a fragment may be empty, the first and the last as well.
void add_empty_fragments(Rows& rows) {
    rows.group("5.2", "6455 5.4");
    const std::string_view pieces[] = {"", "a", "b"};
    for (const auto first : pieces) {
        for (const auto middle : pieces) {
            for (const std::string_view last : {"", "c"}) {
                const std::string whole = std::string(first).append(middle).append(last);
                rows.add("the fragments '" + std::string(first) + "', '" + std::string(middle) + "' and '" +
                         std::string(last) + "'")
                    .send(frame(op_text, first).fin(false))
                    .send(frame(op_more, middle).fin(false))
                    .send(frame(op_more, last))
                    .reply(op_text, whole);
            }
        }
    }
    rows.add("an empty text in two frames, and a text behind it")
        .send(frame(op_text).fin(false))
        .send(frame(op_more))
        .reply(op_text, "")
        .text("next");
}

// 5.4: control frames may come between fragments.
void add_controls_between(Rows& rows) {
    rows.group("5.3", "6455 5.4");
    const auto between = [&](std::string_view name) -> Case& {
        return rows.add(name).send(frame(op_text, "one ").fin(false));
    };
    const auto end = [](Case& row) { row.send(frame(op_more, "two")).reply(op_text, "one two"); };
    end(between("a ping between two fragments").ping("ping"));
    end(between("an empty ping between two fragments").ping(""));
    end(between("a ping of 125 bytes between two fragments").ping(letters(125)));
    end(between("three pings between two fragments").ping("1").ping("2").ping("3"));
    end(between("a pong between two fragments").send(frame(op_pong, "pong")));
    end(between("a pong and a ping between two fragments").send(frame(op_pong, "pong")).ping("ping"));
    Case& each = rows.add("a ping behind each of a text's fragments");
    each.send(frame(op_text, "0").fin(false));
    for (int i = 1; i < 10; ++i)
        each.ping(std::to_string(i)).send(frame(op_more, std::to_string(i)).fin(false));
    each.send(frame(op_more)).reply(op_text, "0123456789");
    rows.add("a ping before the last and empty fragment")
        .send(frame(op_binary, "all").fin(false))
        .ping("ping")
        .send(frame(op_more))
        .reply(op_binary, "all");
    rows.add("a ping inside a character of UTF-8")
        .send(frame(op_text, "\xe2\x82").fin(false))
        .ping("\x82\xac")
        .send(frame(op_more, "\xac"))
        .reply(op_text, "\xe2\x82\xac");
    rows.add("a close frame between two fragments: the message is lost")
        .send(frame(op_text, "begun").fin(false))
        .close(close_frame(1000), {1000});
    rows.add("a ping and a close frame between two fragments")
        .send(frame(op_text, "begun").fin(false))
        .ping("ping")
        .close(close_frame(1001), {1001});
}

// 5.5: control frames are never in fragments.
void add_fragmented_controls(Rows& rows) {
    rows.group("5.4", "6455 5.5");
    struct Kind {
        int opcode;
        const char* name;
    };
    for (const Kind kind : {Kind{op_ping, "ping"}, Kind{op_pong, "pong"}, Kind{op_close, "close frame"}}) {
        const std::string name = kind.name;
        rows.add("an empty " + name + " without FIN").send(frame(kind.opcode).fin(false)).fail({1002});
        rows.add("a " + name + " in two fragments")
            .send(frame(kind.opcode, close_payload(1000)).fin(false))
            .send(frame(op_more, "reason"))
            .fail({1002});
        rows.add("a " + name + " without FIN behind a good text")
            .text("good")
            .send(frame(kind.opcode, close_payload(1000)).fin(false))
            .fail({1002});
        rows.add("a " + name + " without FIN between two fragments")
            .send(frame(op_text, "begun").fin(false))
            .send(frame(kind.opcode).fin(false))
            .fail({1002});
        rows.add("one byte of a " + name + " without FIN")
            .send(frame(kind.opcode).fin(false).bytes().substr(0, 1))
            .fail_early({1002});
    }
}

// 5.4: a continuation continues something.
void add_stray_continuations(Rows& rows) {
    rows.group("5.5", "6455 5.4");
    for (const bool is_last : {true, false}) {
        const std::string name = is_last ? "a last continuation" : "a continuation";
        for (const std::string_view payload : {"", "payload"}) {
            const std::string what = payload.empty() ? name + ", empty," : name + " with a payload";
            const Frame stray = frame(op_more, payload).fin(is_last);
            rows.add(what + " of nothing").send(stray).fail({1002});
            rows.add(what + " behind a whole text").text("whole").send(stray).fail({1002});
            rows.add(what + " behind a text in fragments")
                .send(fragments(op_text, "whole", 2))
                .reply(op_text, "whole")
                .send(stray)
                .fail({1002});
            rows.add(what + " behind a ping").ping("ping").send(stray).fail({1002});
        }
    }
    rows.add("one byte of a continuation of nothing").send("\x80").fail_early({1002});
}

// 5.4: the fragments of one message do not alternate with those of another.
void add_interleaved(Rows& rows) {
    rows.group("5.6", "6455 5.4");
    for (const int begun : {op_text, op_binary}) {
        for (const int next : {op_text, op_binary}) {
            for (const bool is_last : {true, false}) {
                const std::string first = begun == op_text ? "a text" : "binary data";
                const std::string second = next == op_text ? "a text" : "binary data";
                rows.add((is_last ? second : second + " without FIN") + " inside " + first)
                    .send(frame(begun, "begun").fin(false))
                    .send(frame(next, "next").fin(is_last))
                    .fail({1002});
            }
        }
    }
    rows.add("a text inside an empty beginning")
        .send(frame(op_text).fin(false))
        .send(frame(op_text))
        .fail({1002});
    rows.add("a text inside a text, behind a ping")
        .send(frame(op_text, "begun").fin(false))
        .ping("ping")
        .send(frame(op_text, "next"))
        .fail({1002});
    rows.add("a text inside a text, behind two continuations")
        .send(frame(op_text, "begun").fin(false))
        .send(frame(op_more, "on").fin(false))
        .send(frame(op_more).fin(false))
        .send(frame(op_text, "next"))
        .fail({1002});
    rows.add("one byte of a text inside a text")
        .send(frame(op_text, "begun").fin(false))
        .send("\x81")
        .fail_early({1002});
}

void add_long_messages(Rows& rows) {
    rows.group("9.1", "6455 5.2");
    for (const std::size_t size : {std::size_t{262144}, max_message - 1, max_message}) {
        rows.add("a text of " + count(size, "byte")).text(letters(size));
        rows.add("binary data of " + count(size, "byte")).binary(noise(size));
    }
    rows.group("9.2", "6455 5.4");
    for (const std::size_t piece : {2048U, 4096U, 16384U, 65536U, 262144U, 524288U, 1048575U}) {
        rows.add("1 MiB of text in fragments of " + count(piece, "byte"))
            .send(fragments(op_text, letters(max_message), piece))
            .reply(op_text, letters(max_message));
    }
    rows.add("a message of 1 MiB, and a short one").binary(noise(max_message)).text("short");
}

// 10.4: an implementation has to have limits. 7.4.1: 1009 says that a message was too big.
void add_too_long(Rows& rows) {
    rows.group("9.3", "6455 7.4.1, 10.4");
    rows.add("a text of 1 byte more than 1 MiB").send(frame(op_text, letters(max_message + 1))).fail({1009});
    rows.add("binary data of 1 byte more than 1 MiB")
        .send(frame(op_binary, noise(max_message + 1)))
        .fail({1009});
    rows.add("two fragments that are 1 byte too long together")
        .send(frame(op_text, letters(max_message)).fin(false))
        .send(frame(op_more, "x"))
        .fail({1009});
    rows.add("a good text, and one that is too long")
        .text("good")
        .send(frame(op_text, letters(max_message + 1)))
        .fail({1009});
    for (const std::uint64_t length :
         {std::uint64_t{max_message} + 1, std::uint64_t{1} << 24U, std::uint64_t{1} << 31U,
          (std::uint64_t{1} << 32U) - 1, std::uint64_t{1} << 32U, std::uint64_t{1} << 48U,
          (std::uint64_t{1} << 53U) - 1, std::uint64_t{0x7FFFFFFFFFFFFFFF}}) {
        rows.add("a head announces " + std::to_string(length) + " bytes, of which none comes")
            .send(frame(op_binary).announce(length))
            .fail_early({1009});
        rows.add("the head of a continuation announces " + std::to_string(length) + " bytes")
            .send(frame(op_binary, "begun").fin(false))
            .send(frame(op_more).announce(length))
            .fail_early({1009});
    }
    rows.add("a head announces what is left, and one byte more")
        .send(frame(op_binary, noise(1000)).fin(false))
        .send(frame(op_more).announce(max_message - 999))
        .fail_early({1009});
}

// 7.4.1: 1008 says that a message violates a policy; here that it has too many frames, whatever their size.
void add_many_fragments(Rows& rows) {
    rows.group("9.4", "6455 7.4.1, 10.4");
    const auto of_bytes = [](std::size_t frames) { return fragments(op_text, letters(frames), 1); };
    const auto of_nothing = [](std::size_t frames) {
        std::string bytes = frame(op_text).fin(false).bytes();
        for (std::size_t i = 2; i < frames; ++i) bytes += frame(op_more).fin(false).bytes();
        return bytes + frame(op_more).bytes();
    };
    for (const std::size_t frames : {max_fragments - 1, max_fragments}) {
        rows.add("a text in " + count(frames, "frame"))
            .send(of_bytes(frames))
            .reply(op_text, letters(frames));
        rows.add("an empty text in " + count(frames, "frame")).send(of_nothing(frames)).reply(op_text, "");
    }
    rows.add("a text in 1 frame more than 1000").send(of_bytes(max_fragments + 1)).fail({1008});
    rows.add("an empty text in 1 frame more than 1000").send(of_nothing(max_fragments + 1)).fail({1008});
    Case& pings = rows.add("pings between 1000 frames do not count");
    pings.send(frame(op_text).fin(false));
    for (std::size_t i = 2; i < max_fragments; ++i) {
        pings.ping("").send(frame(op_more).fin(false));
    }
    pings.send(frame(op_more, "end")).reply(op_text, "end");
    Case& twice = rows.add("the next message has its own 1000 frames");
    twice.send(of_nothing(max_fragments))
        .reply(op_text, "")
        .send(of_nothing(max_fragments))
        .reply(op_text, "");
}

// Many messages rather than long ones.
void add_many_messages(Rows& rows) {
    rows.group("9.5", "6455 5.6");
    for (const std::size_t size : {0U, 16U, 125U, 126U, 1024U}) {
        Case& row = rows.add("500 messages of " + count(size, "byte"));
        for (unsigned i = 0; i < 500; ++i) row.text(letters(size, i));
    }
}

}  // namespace

std::vector<Case> fragmentation_cases() {
    Rows rows;
    add_whole_messages(rows);
    add_empty_fragments(rows);
    add_controls_between(rows);
    add_fragmented_controls(rows);
    add_stray_continuations(rows);
    add_interleaved(rows);
    return rows.take();
}

std::vector<Case> limit_cases() {
    Rows rows;
    add_long_messages(rows);
    add_too_long(rows);
    add_many_fragments(rows);
    add_many_messages(rows);
    return rows.take();
}

}  // namespace harness::ws
