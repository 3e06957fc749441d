// The WebSocket conformance table: UTF-8. Each sequence is sent in one frame and in frames of one byte,
// because a character may go on in the next frame.
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "ws_cases.hpp"

namespace harness::ws {
namespace {

using namespace std::string_literals;

void add_valid(Rows& rows, const std::string& name, const std::string& text) {
    rows.add(name + ", in one frame").text(text);
    rows.add(name + ", in frames of one byte").send(fragments(op_text, text, 1)).reply(op_text, text);
}

// 3629 4: the borders between lengths, around the surrogates, and the end.
void add_borders(Rows& rows) {
    rows.group("6.1", "6455 5.6, 8.1");
    for (const std::uint32_t point :
         {0x00U, 0x7FU, 0x80U, 0x7FFU, 0x800U, 0xFFFU, 0x1000U, 0xCFFFU, 0xD000U, 0xD7FFU, 0xE000U, 0xFEFFU,
          0xFFFDU, 0x10000U, 0x3FFFFU, 0x40000U, 0xFFFFFU, 0x100000U, 0x10FFFFU}) {
        add_valid(rows, "the character " + std::to_string(point) + " (" + hex(utf8(point)) + ")",
                  "a" + utf8(point) + "z");
    }
}

// They are characters of UTF-8, although nobody is to exchange them.
void add_noncharacters(Rows& rows) {
    rows.group("6.2", "6455 8.1");
    std::vector<std::uint32_t> points = {0xFDD0, 0xFDEF};
    for (std::uint32_t plane = 0; plane <= 16; ++plane) {
        points.push_back(plane * 0x10000 + 0xFFFE);
        points.push_back(plane * 0x10000 + 0xFFFF);
    }
    for (const std::uint32_t point : points) {
        rows.add("the noncharacter " + hex(utf8(point))).text(utf8(point));
    }
}

void add_texts(Rows& rows) {
    rows.group("6.3", "6455 5.6");
    add_valid(rows, "Greek", "\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5");
    add_valid(rows, "Japanese", "\xe6\x97\xa5\xe6\x9c\xac\xe9\x85\x92");
    add_valid(rows, "an emoji of several characters",
              utf8(0x1F469) + utf8(0x200D) + utf8(0x1F373) + utf8(0x1F3FD));
    add_valid(rows, "a letter with many accents",
              "e" + utf8(0x301) + utf8(0x302) + utf8(0x323) + utf8(0x489));
    add_valid(rows, "characters of 1, 2, 3 and 4 bytes", "a" + utf8(0xE4) + utf8(0x20AC) + utf8(0x1F376));
    add_valid(rows, "characters of 4, 3, 2 and 1 bytes", utf8(0x1F376) + utf8(0x20AC) + utf8(0xE4) + "a");
    add_valid(rows, "a byte order mark before a text", utf8(0xFEFF) + "text");
    add_valid(rows, "from right to left", utf8(0x5E9) + utf8(0x5DC) + utf8(0x202E) + "abc");
    for (std::size_t before = 0; before < 9; ++before) {
        rows.add("a character of 4 bytes behind " + std::to_string(before) + " letters")
            .text(letters(before) + utf8(0x1F376) + letters(20));
    }
    for (const std::size_t size : {125U, 126U, 65535U, 65536U}) {
        std::string text;
        while (text.size() + 3 <= size) text += utf8(0x20AC);
        text.resize(size, 'x');
        rows.add(std::to_string(size) + " bytes of characters of 3 bytes").text(text);
    }
}

// Cut at every place of a character: the pieces are no UTF-8, the message is.
void add_cuts(Rows& rows) {
    rows.group("6.4", "6455 5.6");
    for (const std::uint32_t point : {0xE4U, 0x20ACU, 0x1F376U}) {
        const std::string text = "x" + utf8(point) + "y";
        for (std::size_t at = 1; at < text.size(); ++at) {
            rows.add(hex(text) + " in two fragments, cut behind byte " + std::to_string(at))
                .send(frame(op_text, text.substr(0, at)).fin(false))
                .send(frame(op_more, text.substr(at)))
                .reply(op_text, text);
            rows.add(hex(text) + " cut behind byte " + std::to_string(at) + ", an empty fragment between")
                .send(frame(op_text, text.substr(0, at)).fin(false))
                .send(frame(op_more).fin(false))
                .send(frame(op_more, text.substr(at)))
                .reply(op_text, text);
        }
    }
}

void add_invalid(Rows& rows, const std::string& name, const std::string& bad) {
    rows.add(name + " (" + hex(bad) + "), in one frame").send(frame(op_text, "ab" + bad + "yz")).fail({1007});
    rows.add(name + " (" + hex(bad) + "), in frames of one byte")
        .send(fragments(op_text, "ab" + bad + "yz", 1))
        .fail({1007});
}

void add_lone_bytes(Rows& rows) {
    rows.group("6.5", "6455 8.1");
    for (const char* bad : {"\x80", "\xbf", "\x80\xbf", "\x80\x81\x82", "\xbf\xbf\xbf\xbf"}) {
        add_invalid(rows, "a tail without a head", bad);
    }
    for (const char* bad : {"\xfe", "\xff", "\xfe\xff", "\xff\xfe"}) {
        add_invalid(rows, "a byte that UTF-8 does not have", bad);
    }
    for (const char* bad :
         {"\xc2", "\xdf", "\xe1\x80", "\xef\xbf", "\xe1", "\xf1", "\xf1\x80", "\xf1\x80\x80"}) {
        add_invalid(rows, "a character whose tail is missing", bad);
    }
    add_invalid(rows, "two heads", "\xc3\xc3\xa4");
    add_invalid(rows, "Latin-1", "\xe4\xf6\xfc");
}

void add_overlong(Rows& rows) {
    rows.group("6.6", "6455 8.1");
    for (const char* bad : {"\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x80\xaf",
                            "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf"}) {
        add_invalid(rows, "an overlong form", bad);
    }
    for (const char* bad : {"\xf8\x88\x80\x80\x80", "\xfb\xbf\xbf\xbf\xbf"}) {
        add_invalid(rows, "a form of 5 bytes", bad);
    }
    for (const char* bad : {"\xfc\x84\x80\x80\x80\x80", "\xfd\xbf\xbf\xbf\xbf\xbf"}) {
        add_invalid(rows, "a form of 6 bytes", bad);
    }
}

void add_out_of_range(Rows& rows) {
    rows.group("6.7", "6455 8.1");
    for (const std::uint32_t point : {0xD800U, 0xDB7FU, 0xDB80U, 0xDBFFU, 0xDC00U, 0xDF80U, 0xDFFFU}) {
        add_invalid(rows, "a surrogate", utf8(point));
    }
    add_invalid(rows, "the first pair of surrogates", utf8(0xD800) + utf8(0xDC00));
    add_invalid(rows, "the last pair of surrogates", utf8(0xDBFF) + utf8(0xDFFF));
    for (const std::uint32_t point : {0x110000U, 0x13FFFFU, 0x140000U, 0x1FFFFFU}) {
        add_invalid(rows, "a number above 10FFFF", utf8(point));
    }
    for (const char* bad : {"\xf5\x80\x80\x80", "\xf7\xbf\xbf\xbf"}) {
        add_invalid(rows, "a head above F4", bad);
    }
}

// A message that ends inside a character.
void add_incomplete(Rows& rows) {
    rows.group("6.8", "6455 8.1");
    for (const std::uint32_t point : {0xE4U, 0x20ACU, 0x1F376U}) {
        const std::string whole = utf8(point);
        for (std::size_t size = 1; size < whole.size(); ++size) {
            const std::string cut = whole.substr(0, size);
            rows.add("a text that ends with " + hex(cut)).send(frame(op_text, "text" + cut)).fail({1007});
            rows.add("a text in two fragments that ends with " + hex(cut))
                .send(frame(op_text, "text").fin(false))
                .send(frame(op_more, cut))
                .fail({1007});
            rows.add("an empty last fragment behind " + hex(cut))
                .send(frame(op_text, "text" + cut).fin(false))
                .send(frame(op_more))
                .fail({1007});
            rows.add(hex(cut) + " at the end, and the rest in the next text")
                .send(frame(op_text, cut))
                .send(frame(op_text, whole.substr(size)))
                .fail({1007});
        }
    }
}

// 8.1: the connection fails when the bytes are found; Sake finds them as soon as they have come.
void add_early(Rows& rows) {
    rows.group("6.9", "6455 8.1");
    for (const char* bad : {"\x80", "\xff", "\xc0", "\xc1", "\xe0\x9f", "\xed\xa0", "\xf0\x8f", "\xf4\x90",
                            "\xf5", "\xe2\x28", "\xe2\x82\x28", "\xf0\x9f\x8d\x28"}) {
        const std::string name = hex(bad);
        rows.add(name + " in a frame whose rest does not come")
            .send(frame(op_text, "begun"s + bad).announce(100))
            .fail_early({1007});
        rows.add(name + " in a fragment, and the next does not come")
            .send(frame(op_text, "begun"s + bad).fin(false))
            .fail_early({1007});
    }
    for (const char* bad : {"\xe0\x9f", "\xed\xa0", "\xf0\x8f", "\xf4\x90", "\xe2\x28", "\xf0\x9f\x8d\x28"}) {
        rows.add(hex(bad) + " over two fragments, and the third does not come")
            .send(frame(op_text, std::string_view(bad, 1)).fin(false))
            .send(frame(op_more, bad + 1).fin(false))
            .fail_early({1007});
    }
    rows.add("a bad byte behind 5000 good ones in a frame of 10000")
        .send(frame(op_text, letters(5000) + "\xff").announce(10000))
        .fail_early({1007});
}

void add_other_places(Rows& rows) {
    rows.group("6.10", "6455 5.6, 8.1");
    rows.add("bytes that are no UTF-8 as binary data").binary("\xff\xfe\xc0\x80\xed\xa0\x80");
    rows.add("bytes that are no UTF-8 as binary data in fragments")
        .send(fragments(op_binary, "\xff\xfe\xc0\x80\xed\xa0\x80", 2))
        .reply(op_binary, "\xff\xfe\xc0\x80\xed\xa0\x80");
    rows.add("half a character in a ping between the halves of another")
        .send(frame(op_text, "\xc3").fin(false))
        .ping("\xc3")
        .send(frame(op_more, "\xa4"))
        .reply(op_text, "\xc3\xa4");
    rows.add("a good text before a bad one").text("good").send(frame(op_text, "\xff")).fail({1007});
    rows.add("half a character in binary data, the other half in a text")
        .binary("\xc3")
        .send(frame(op_text, "\xa4"))
        .fail({1007});
    rows.add("good fragments before a bad one, and a ping between")
        .send(frame(op_text, "good").fin(false))
        .ping("ping")
        .send(frame(op_more, "\xff"))
        .fail({1007});
    rows.add("a bad byte at the very end of a text of 65536 bytes")
        .send(frame(op_text, letters(65535) + "\xff"))
        .fail({1007});
    rows.add("a bad byte at the very beginning of a text")
        .send(frame(op_text, "\xff" + letters(100)))
        .fail({1007});
    for (std::size_t before = 0; before < 9; ++before) {
        rows.add("a bad byte behind " + std::to_string(before) + " letters and before 20")
            .send(frame(op_text, letters(before) + "\xc0" + letters(20)))
            .fail({1007});
    }
}

}  // namespace

std::vector<Case> utf8_cases() {
    Rows rows;
    add_borders(rows);
    add_noncharacters(rows);
    add_texts(rows);
    add_cuts(rows);
    add_lone_bytes(rows);
    add_overlong(rows);
    add_out_of_range(rows);
    add_incomplete(rows);
    add_early(rows);
    add_other_places(rows);
    return rows.take();
}

}  // namespace harness::ws
