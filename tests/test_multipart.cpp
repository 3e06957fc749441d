// The parser of multipart/form-data: what it reads, what it refuses, and that neither depends on how the
// bytes come.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/dice.hpp"
#include "support/machinery.hpp"

namespace test_multipart {
namespace {

using sake::detail::MultipartLimits;
using sake::detail::MultipartParser;
using Kind = MultipartParser::Kind;

/// The events in words, with the data of a part in one piece: "[name|file|type]data;" for each part, and the
/// end. Pieces end at `cuts`.
class Reading {
  public:
    explicit Reading(std::string_view boundary = "b", const MultipartLimits& limits = {})
        : parser_(boundary, limits) {}

    bool take(std::string_view piece) {
        while (true) {
            const MultipartParser::Step step = parser_.read(piece);
            REQUIRE(step.consumed <= piece.size());
            piece.remove_prefix(step.consumed);
            if (step.kind == Kind::need_more) {
                REQUIRE(piece.empty());
                return true;
            }
            note(step);
            if (step.kind == Kind::refused) return false;
        }
    }
    std::string end() {
        const MultipartParser::Step step = parser_.end();
        if (step.kind == Kind::refused && log.find("refused") == std::string::npos) note(step);
        return log;
    }

    std::string log;

  private:
    void note(const MultipartParser::Step& step) {
        if (step.kind == Kind::part) {
            const auto& head = parser_.head();
            log += "[" + head.name + (head.is_file ? "|" + head.filename : "");
            if (!head.content_type.empty()) log += "|" + head.content_type;
            log += "]";
        }
        if (step.kind == Kind::data) log += step.data;
        if (step.kind == Kind::part_end) log += ";";
        if (step.kind == Kind::done) log += "done";
        if (step.kind == Kind::refused) {
            log += "refused " + std::to_string(parser_.status()) + ": " + parser_.reason();
        }
    }

    MultipartParser parser_;
};

std::string read(std::string_view body, const MultipartLimits& limits = {}, std::string_view boundary = "b") {
    Reading reading(boundary, limits);
    reading.take(body);
    return reading.end();
}

std::string read_in_pieces(std::string_view body, std::size_t piece, const MultipartLimits& limits = {}) {
    Reading reading("b", limits);
    while (!body.empty() && reading.take(body.substr(0, piece))) {
        body.remove_prefix(std::min(piece, body.size()));
    }
    return reading.end();
}

std::string read_cut_at(std::string_view body, std::size_t cut, const MultipartLimits& limits = {}) {
    Reading reading("b", limits);
    if (reading.take(body.substr(0, cut))) reading.take(body.substr(cut));
    return reading.end();
}

std::string part(std::string_view name, std::string_view data) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" +
           std::string(data) + "\r\n";
}
std::string with_head(std::string_view head) {
    return "--b\r\n" + std::string(head) + "\r\n\r\nx\r\n--b--\r\n";
}
std::string disposition(std::string_view rest) {
    return with_head("Content-Disposition: " + std::string(rest));
}
std::string repeated(std::string_view text, std::size_t times) {
    std::string out;
    out.reserve(text.size() * times);
    while (times-- > 0) out += text;
    return out;
}

struct Row {
    std::string body;
    std::string events;
};

constexpr const char* not_closed = "refused 400: the body ends before its last boundary";
constexpr const char* malformed = "refused 400: the Content-Disposition of a part is malformed";
constexpr const char* no_line_end = "refused 400: a boundary is not followed by a line end";

const std::vector<Row>& rows() {
    static const std::vector<Row> all = {
        // Bodies as they should be.
        {"--b--", "done"},
        {"--b--\r\n", "done"},
        {"\r\n--b--\r\n", "done"},
        {part("a", "1") + "--b--\r\n", "[a]1;done"},
        {part("a", "1") + part("b", "2") + part("a", "3") + "--b--\r\n", "[a]1;[b]2;[a]3;done"},
        {part("a", "") + "--b--\r\n", "[a];done"},
        {part("", "1") + "--b--\r\n", "[]1;done"},
        {"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--b--\r\n", "[a];done"},
        {"preamble\r\n--b\r\n" + part("a", "1").substr(5) + "--b--\r\nepilogue", "[a]1;done"},
        {"-\r\n--\r\n--c\r\n" + part("a", "1") + "--b--", "[a]1;done"},
        {"--c\r\n\r\r\n" + part("a", "1") + "--b--", "[a]1;done"},
        {part("a", "1") + "--b--" + part("b", "2"), "[a]1;done"},
        {part("a", "1") + "--b--\r\n" + part("b", "2") + "--b--", "[a]1;done"},
        {"--b \t\r\n" + part("a", "1").substr(5) + "--b--\r\n", "[a]1;done"},
        {disposition("form-data; name=a"), "[a]x;done"},
        {disposition("FORM-DATA;NAME=\"a\""), "[a]x;done"},
        {disposition("form-data ; name = a"), malformed},
        {disposition("form-data;;name=a; "), "[a]x;done"},
        {disposition("form-data; name=\"a\"; filename=\"f.txt\""), "[a|f.txt]x;done"},
        {disposition("form-data; filename=f.txt; name=a"), "[a|f.txt]x;done"},
        {disposition("form-data; name=a; filename=\"\""), "[a|]x;done"},
        {disposition("form-data; name=a; filename=\"\xc3\xa9t\xc3\xa9.txt\""),
         "[a|\xc3\xa9t\xc3\xa9.txt]x;done"},
        {disposition("form-data; name=\"\xff\""), "[\xff]x;done"},
        {disposition("form-data; name=\"a%22b%0D%0Ac%0d%0a\""), "[a\"b\r\nc\r\n]x;done"},
        {disposition("form-data; name=\"a%20b%25%2\""), "[a%20b%25%2]x;done"},
        {disposition("form-data; name=\"a\\\"b\\\\c\""), "[a\"b\\c]x;done"},
        {disposition("form-data; name=a; filename=\"C:\\dir\\f.txt\""), "[a|C:\\dir\\f.txt]x;done"},
        {disposition("form-data; name=\"a\\\""), "[a\\]x;done"},
        {disposition("form-data; name=\"a;b=c\"; filename=\"d;e\""), "[a;b=c|d;e]x;done"},
        {disposition("form-data; name=a; filename*=UTF-8''b"), "[a]x;done"},
        {disposition("form-data; name=a; filename=c; filename*=UTF-8''b"), "[a|c]x;done"},
        {disposition("form-data; name=a; size=7; x=\"\""), "[a]x;done"},
        {with_head("content-type: text/plain; charset=utf-8\r\nCONTENT-DISPOSITION:form-data; name=a"),
         "[a|text/plain; charset=utf-8]x;done"},
        {with_head("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: BINARY"),
         "[a]x;done"},
        {with_head("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: 7bit"), "[a]x;done"},
        {with_head("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: 8bit"), "[a]x;done"},
        {with_head("X-Other:\r\nContent-Disposition: \t form-data; name=a \t"), "[a]x;done"},
        // Data that is nearly a boundary.
        {part("a", "\r\n") + "--b--", "[a]\r\n;done"},
        {part("a", "\r\n--") + "--b--", "[a]\r\n--;done"},
        {part("a", "\r\r\n--\r\n-\r\n--\r") + "--b--", "[a]\r\r\n--\r\n-\r\n--\r;done"},
        {part("a", "--b") + "--b--", "[a];" + std::string(not_closed)},
        {part("a", "--bc") + "--b--", "[a];" + std::string(no_line_end)},
        {part("a", "--c") + "--b--", "[a]--c;done"},
        {part("a", "-") + "--b--", "[a]-;done"},
        {part("a", "x--b") + "--b--", "[a]x--b;done"},
        {part("a", "\n--b\n") + "--b--", "[a]\n--b\n;done"},
        {part("a", "\r--b\r") + "--b--", "[a]\r--b\r;done"},
        {part("a", std::string("\0\x01\xff", 3)) + "--b--", "[a]" + std::string("\0\x01\xff", 3) + ";done"},
        // Bodies that are cut off.
        {"", not_closed},
        {"\r\n", not_closed},
        {"--", not_closed},
        {"--b", not_closed},
        {"--b-", not_closed},
        {"--b\r", not_closed},
        {"--b\r\n", not_closed},
        {"--b\r\nContent-Disposition: form-data; name=a\r\n", not_closed},
        {"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n", "[a]" + std::string(not_closed)},
        {part("a", "1"), "[a]1" + std::string(not_closed)},
        {part("a", "1") + "--b", "[a]1;" + std::string(not_closed)},
        {part("a", "1") + "--b\r\n", "[a]1;" + std::string(not_closed)},
        {"only a preamble", not_closed},
        // What is not multipart.
        {"--b\n", no_line_end},
        {"--bb\r\n", no_line_end},
        {"--b \r\r\n", no_line_end},
        {"--b -", no_line_end},
        {"--b-\r\n", no_line_end},
        {"--b\rx", no_line_end},
        {part("a", "1") + "--bb--", "[a]1;" + std::string(no_line_end)},
        {"--b\r\n\r\nx\r\n--b--", "refused 400: a part has no Content-Disposition"},
        {"--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--", "refused 400: a part has no Content-Disposition"},
        {"--b\r\nContent-Disposition: form-data; name=a\n\nx\r\n--b--",
         "refused 400: a line of a part ends without a CR"},
        {"--b\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\nx\r\n--b--",
         "refused 400: the Content-Disposition of a part has no name"},
        {with_head("X: y\r\n folded: z"), "refused 400: a header of a part has no valid name"},
        {with_head("Content-Disposition: form-data; name=a\rX: y"),
         "refused 400: a CR in the head of a part does not end a line"},
        {with_head("no colon"), "refused 400: a header of a part has no valid name"},
        {with_head(": x"), "refused 400: a header of a part has no valid name"},
        {with_head("a b: x"), "refused 400: a header of a part has no valid name"},
        {with_head("Content-Disposition : form-data; name=a"),
         "refused 400: a header of a part has no valid name"},
        {with_head(std::string("X: a\0b", 6)),
         "refused 400: a header of a part has a control byte in its value"},
        {with_head("X: a\x7f"), "refused 400: a header of a part has a control byte in its value"},
        {disposition("attachment; name=a"),
         "refused 400: the Content-Disposition of a part is not form-data"},
        {disposition(""), "refused 400: the Content-Disposition of a part is not form-data"},
        {disposition("form-data"), "refused 400: the Content-Disposition of a part has no name"},
        {disposition("form-data; filename=a"), "refused 400: the Content-Disposition of a part has no name"},
        {disposition("form-data; name*=UTF-8''a"),
         "refused 400: the Content-Disposition of a part has no name"},
        {disposition("form-data; name=a; name=b"),
         "refused 400: the Content-Disposition of a part has a parameter twice"},
        {disposition("form-data; name=a; filename=b; FileName=c"),
         "refused 400: the Content-Disposition of a part has a parameter twice"},
        {disposition("form-data; name"), malformed},
        {disposition("form-data; name="), malformed},
        {disposition("form-data; name=\"a"), malformed},
        {disposition("form-data; name=\"a\\\"; filename=\"b\""), malformed},
        {disposition("form-data; name=\"a\"b"), malformed},
        {disposition("form-data; name=a b"), malformed},
        {disposition("form-data; na me=a"), malformed},
        {disposition("form-data, name=a"), "refused 400: the Content-Disposition of a part is not form-data"},
        {with_head("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"),
         "refused 400: a header of a part occurs twice"},
        {with_head("Content-Type: a/b\r\nContent-Type: c/d"), "refused 400: a header of a part occurs twice"},
        {with_head("Content-Transfer-Encoding: base64"),
         "refused 400: the Content-Transfer-Encoding of a part must be 7bit, 8bit or binary"},
        {with_head("Content-Transfer-Encoding: quoted-printable"),
         "refused 400: the Content-Transfer-Encoding of a part must be 7bit, 8bit or binary"},
        {with_head("Content-Transfer-Encoding: binary\r\nContent-Transfer-Encoding: 8bit"),
         "refused 400: a header of a part occurs twice"},
    };
    return all;
}

/// Bodies that differ from the rows by a byte or a few.
std::vector<std::string> mutations(std::size_t count) {
    harness::Dice dice(7578);
    std::vector<std::string> bodies;
    constexpr std::string_view bytes = "\r\n-b\";:=\\% \t\0x\xff";
    while (bodies.size() < count) {
        std::string body = rows()[dice.below(rows().size())].body;
        for (std::size_t times = 1 + dice.below(3); times > 0 && !body.empty(); --times) {
            const std::size_t at = dice.below(body.size());
            const char byte = bytes[dice.below(bytes.size())];
            switch (dice.below(3)) {
                case 0:
                    body[at] = byte;
                    break;
                case 1:
                    body.insert(at, 1, byte);
                    break;
                default:
                    body.erase(at, 1 + dice.below(4));
            }
        }
        bodies.push_back(body);
    }
    return bodies;
}

void check_every_split(const std::string& body, const MultipartLimits& limits = {}) {
    const std::string whole = read(body, limits);
    INFO(body);
    REQUIRE(read_in_pieces(body, 1, limits) == whole);
    if (body.size() > 400) return;
    for (std::size_t cut = 0; cut <= body.size(); ++cut) REQUIRE(read_cut_at(body, cut, limits) == whole);
    for (const std::size_t piece : {2U, 3U, 5U, 7U}) REQUIRE(read_in_pieces(body, piece, limits) == whole);
}

}  // namespace

TEST_CASE("a multipart body is read as it is meant, or refused with the reason") {
    REQUIRE(rows().size() >= 90);
    for (const Row& row : rows()) {
        INFO(row.body);
        CHECK(read(row.body) == row.events);
    }
}

TEST_CASE("P1 the events of a multipart body do not depend on how it is split") {
    for (const Row& row : rows()) check_every_split(row.body);
    for (const std::string& body : mutations(500)) check_every_split(body);
    for (const std::string& body : mutations(100)) {
        check_every_split(body, {.parts = 1, .files = 1, .field = 3});
    }
    check_every_split(part("a", repeated("\r\n--c\r\n--", 5000)) + "--b--");
    check_every_split(repeated(part("a", "\r"), 1000) + "--b--");
}

TEST_CASE("P5 a multipart body that ends too early is refused wherever it is cut off") {
    const std::string body = part("a", "1") + disposition("form-data; name=b; filename=c").substr(0);
    const std::size_t end = body.size() - 2;  // the last line end may be missing
    for (std::size_t size = 0; size < end; ++size) {
        CHECK(read(std::string_view(body).substr(0, size)).ends_with(not_closed));
    }
    CHECK(read(std::string_view(body).substr(0, end)) == "[a]1;[b|c]x;done");
}

TEST_CASE("P5 L1 the number of parts and of files is limited") {
    const auto parts = [](std::size_t count) { return repeated(part("a", "1"), count) + "--b--"; };
    const auto files = [](std::size_t count) {
        return repeated("--b\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nx\r\n", count) +
               "--b--";
    };
    CHECK(read(parts(2), {.parts = 3}) == "[a]1;[a]1;done");
    CHECK(read(parts(3), {.parts = 3}) == "[a]1;[a]1;[a]1;done");
    CHECK(read(parts(4), {.parts = 3}) ==
          "[a]1;[a]1;[a]1;refused 413: the form has more than 3 parts (max_form_parts)");
    CHECK(read(files(1), {.files = 2}) == "[a|b]x;done");
    CHECK(read(files(2), {.files = 2}) == "[a|b]x;[a|b]x;done");
    CHECK(read(files(3), {.files = 2}) ==
          "[a|b]x;[a|b]x;refused 413: the form has more than 2 files (max_form_files)");
    CHECK(read(parts(3), {.files = 0}) == "[a]1;[a]1;[a]1;done");
    CHECK(read(parts(0), {.parts = 0}) == "done");
    CHECK(read(parts(1), {.parts = 0}) == "refused 413: the form has more than 0 parts (max_form_parts)");
}

TEST_CASE("L1 the size of a field is limited, and that of a file is not") {
    const auto field = [](std::string_view data) { return part("a", data) + "--b--"; };
    CHECK(read(field("12"), {.field = 3}) == "[a]12;done");
    CHECK(read(field("123"), {.field = 3}) == "[a]123;done");
    const std::string refused = "refused 413: a field of the form is larger than 3 bytes (max_form_field)";
    CHECK(read(field("1234"), {.field = 3}) == "[a]123" + refused);
    CHECK(read(field("12\r\n"), {.field = 3}) == "[a]12\r" + refused);
    CHECK(read(field("\r\n-"), {.field = 3}) == "[a]\r\n-;done");
    CHECK(read(field(""), {.field = 0}) == "[a];done");
    CHECK(read(disposition("form-data; name=a; filename=b"), {.field = 0}) == "[a|b]x;done");
    CHECK(read(part("a", "123") + part("b", "456") + "--b--", {.field = 3}) == "[a]123;[b]456;done");
    for (const char* data : {"1234", "12\r\n", "\r\n--", "\r\r\r\r", "\r\n--bx"}) {
        check_every_split(field(data), {.field = 3});
    }
}

TEST_CASE("L1 the headers of a part are limited in number and size") {
    const std::string name = "Content-Disposition: form-data; name=a";
    const auto head = [&](std::size_t more) { return with_head(name + repeated("\r\nX: y", more)); };
    CHECK(read(head(6)) == "[a]x;done");
    CHECK(read(head(7)) == "[a]x;done");
    CHECK(read(head(8)) == "refused 400: a part has more than 8 headers (part headers)");
    const auto sized = [&](std::size_t size) {  // of all lines with their ends
        return with_head(name + "\r\nX: " + std::string(size - name.size() - 7, 'y'));
    };
    CHECK(read(sized(4095)) == "[a]x;done");
    CHECK(read(sized(4096)) == "[a]x;done");
    const std::string refused =
        "refused 400: the headers of a part are larger than 4096 bytes (part headers)";
    for (const std::size_t size :
         {std::size_t{4097}, std::size_t{4098}, std::size_t{4099}, std::size_t{1} << 20}) {
        CHECK(read(sized(size)) == refused);
        if (size < 5000) CHECK(read_in_pieces(sized(size), 1) == refused);
    }
}

TEST_CASE("a boundary of every byte that may stand there is found") {
    const std::string boundary = "'()+_,-./:=? 0aZ";
    Reading reading(boundary);
    reading.take(part("a", "x").replace(0, 3, "--" + boundary) + "--" + boundary + "--");
    CHECK(reading.end() == "[a]x;done");
}

TEST_CASE("P6 every byte value in a name of a part passes, is an escape, or is refused") {
    for (int value = 0; value < 256; ++value) {
        const char byte = static_cast<char>(value);
        INFO(value);
        for (const char* parameter : {"name=\"", "name=a; filename=\""}) {
            const std::string before = std::string("form-data; ") + parameter + "x";
            const std::string events = read(disposition(before + byte + "y\""));
            const bool is_control = (value < 0x20 && byte != '\t') || value == 0x7f;
            if (is_control || byte == '"') {
                CHECK(events.starts_with("refused 400: "));
            } else {
                CHECK(events.find(std::string("x") + byte + "y]x;done") != std::string::npos);
            }
        }
    }
}

TEST_CASE("what is wrong stays refused") {
    MultipartParser parser("b", {});
    CHECK(parser.read("--bx").kind == Kind::refused);
    CHECK(parser.read("--b--").kind == Kind::refused);
    CHECK(parser.read("").kind == Kind::refused);
    CHECK(parser.end().kind == Kind::refused);
    CHECK(parser.status() == 400);
}

}  // namespace test_multipart
