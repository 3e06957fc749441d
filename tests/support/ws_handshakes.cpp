// The table of opening handshakes.
#include "ws_handshakes.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>

#include "ws_judge.hpp"

namespace harness::ws {
namespace {

using namespace std::string_literals;

bool is_same(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

/// The lines of a handshake, each of which a row may change. A text of "" leaves a line out.
struct Request {
    std::string line = "GET /echo HTTP/1.1";
    std::string host = "Host: test";
    std::string upgrade = "Upgrade: websocket";
    std::string connection = "Connection: Upgrade";
    std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    std::string version = "Sec-WebSocket-Version: 13";
    std::string more = {};  // lines with a line feed between
    std::string body = {};

    [[nodiscard]] std::string text() const {
        std::string lines;
        for (const std::string& each : {line, host, upgrade, connection, key, version, more}) {
            if (!each.empty()) lines += each + "\r\n";
        }
        return lines + "\r\n" + body;
    }
};

class Table {
  public:
    void section(std::string_view name) { section_ = name; }
    Handshake& add(std::string_view sentence, const Request& request, std::vector<int> statuses) {
        rows_.emplace_back();
        Handshake& row = rows_.back();
        row.id = "H." + std::to_string(rows_.size());
        row.section = section_;
        row.sentence = sentence;
        row.request = request.text();
        row.statuses = std::move(statuses);
        return row;
    }
    /// The connection is a WebSocket from here on.
    Handshake& opens(std::string_view sentence, const Request& request) {
        return add(sentence, request, {101})
            .with("Upgrade", "websocket")
            .with("Connection", "Upgrade")
            .with("Sec-WebSocket-Accept", accept_of_handshake)
            .without("Content-Length")
            .without("Transfer-Encoding")
            .without("Content-Type");
    }
    Handshake& refuses(std::string_view sentence, const Request& request, std::vector<int> statuses) {
        return add(sentence, request, std::move(statuses)).without("Sec-WebSocket-Accept");
    }
    /// 426 says what would be right (RFC 9110 15.5.22).
    Handshake& asks_for_upgrade(std::string_view sentence, const Request& request) {
        return refuses(sentence, request, {426}).with("Upgrade", "websocket").with("Connection", "Upgrade");
    }
    [[nodiscard]] std::vector<Handshake> take() { return std::move(rows_); }

  private:
    std::string section_;
    std::vector<Handshake> rows_;
};

/// The request with one line changed.
Request with(std::string Request::* line, std::string text) {
    Request request;
    request.*line = std::move(text);
    return request;
}
Request to(const std::string& path, std::string more = {}) {
    Request request;
    request.line = "GET " + path + " HTTP/1.1";
    request.more = std::move(more);
    return request;
}
Request more(std::string text) { return with(&Request::more, std::move(text)); }

void add_requests(Table& table) {
    table.section("4.2.1");
    table.opens("the plain case", Request())
        .without("Sec-WebSocket-Protocol")
        .without("Sec-WebSocket-Extensions");
    table.opens("with a query", to("/echo?a=b"));
    table.opens("in absolute form", to("http://test/echo"));
    table.opens("a higher version of HTTP/1", with(&Request::line, "GET /echo HTTP/1.2"));
    table.opens("with other fields", more("Cookie: a=b\r\nUser-Agent: test\r\nAccept-Encoding: gzip"));
    table.opens("an empty body", more("Content-Length: 0"));
    table.refuses("HTTP/1.0", with(&Request::line, "GET /echo HTTP/1.0"), {400, 426});
    table.refuses("no Host", with(&Request::host, ""), {400});
    table.refuses("a path that is not known", to("/nowhere"), {404});
    for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
        table.refuses("the method "s + method, with(&Request::line, method + " /echo HTTP/1.1"s), {405});
    }
    table.refuses("HEAD with all of the rest", with(&Request::line, "HEAD /echo HTTP/1.1"), {400, 405, 426});
    Request body = more("Content-Length: 5");
    body.body = "hello";
    table.refuses("a body", body, {400});
    body = more("Transfer-Encoding: chunked");
    body.body = "5\r\nhello\r\n0\r\n\r\n";
    table.refuses("a chunked body", body, {400});
    table.add("a plain page, which is not upgraded", to("/page"), {200})
        .without("Upgrade")
        .without("Sec-WebSocket-Accept");
}

void add_upgrades(Table& table) {
    table.section("4.2.1 3");
    for (const char* value : {"WebSocket", "WEBSOCKET", "websocket, h2c", "h2c,websocket",
                              "h2c/1.0 , websocket", "\t websocket \t"}) {
        table.opens("Upgrade: "s + value, with(&Request::upgrade, "Upgrade: "s + value));
    }
    table.opens("two fields Upgrade", with(&Request::upgrade, "Upgrade: h2c\r\nUpgrade: websocket"));
    table.opens("the field's name in small letters", with(&Request::upgrade, "upgrade: websocket"));
    table.asks_for_upgrade("a plain GET", {"GET /echo HTTP/1.1", "Host: test", "", "", "", ""})
        .with("Sec-WebSocket-Version", "13");
    table.asks_for_upgrade("no Upgrade", with(&Request::upgrade, ""));
    for (const char* value : {"", "h2c", "websockets", "web socket", "\"websocket\"", "x-websocket"}) {
        table.asks_for_upgrade("Upgrade: "s + value, with(&Request::upgrade, "Upgrade: "s + value));
    }
    table.refuses("HEAD without an upgrade", {"HEAD /echo HTTP/1.1", "Host: test", "", "", "", ""}, {426});
    table.section("4.2.1 4");
    for (const char* value :
         {"upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,keep-alive", "x , upgrade , y"}) {
        table.opens("Connection: "s + value, with(&Request::connection, "Connection: "s + value));
    }
    table.opens("two fields Connection",
                with(&Request::connection, "Connection: keep-alive\r\nConnection: Upgrade"));
    table.asks_for_upgrade("no Connection", with(&Request::connection, ""));
    for (const char* value : {"keep-alive", "upgraded", "\"upgrade\"", "up grade"}) {
        table.asks_for_upgrade("Connection: "s + value, with(&Request::connection, "Connection: "s + value));
    }
}

void add_keys(Table& table) {
    table.section("4.2.1 5");
    const auto key = [](std::string_view value) {
        return with(&Request::key, "Sec-WebSocket-Key: " + std::string(value));
    };
    table.opens("white space around the key", key("\t dGhlIHNhbXBsZSBub25jZQ== \t"));
    table.opens("the field's name in capitals",
                with(&Request::key, "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ=="));
    table.add("a key of zeros", key("AAAAAAAAAAAAAAAAAAAAAA=="), {101})
        .with("Sec-WebSocket-Accept", "ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
    table.refuses("no key", with(&Request::key, ""), {400});
    table.refuses("two different keys",
                  key("dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), {400});
    table.refuses("the same key twice",
                  key("dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), {400});
    struct Bad {
        const char* name;
        const char* value;
    };
    for (const Bad bad : {Bad{"an empty key", ""}, Bad{"a key of 15 bytes", "AAAAAAAAAAAAAAAAAAAA"},
                          Bad{"a key of 17 bytes", "AAAAAAAAAAAAAAAAAAAAAAA="},
                          Bad{"a key without its padding", "dGhlIHNhbXBsZSBub25jZQ"},
                          Bad{"a key with one sign of padding", "dGhlIHNhbXBsZSBub25jZQ="},
                          Bad{"a key with a sign that base64 does not have", "dGhlIHNhbXBsZSBub25jZ!=="},
                          Bad{"a key in the other alphabet", "dGhlIHNhbXBsZSBub25j-_=="},
                          Bad{"a key whose last letter has bits left over", "dGhlIHNhbXBsZSBub25jZR=="},
                          Bad{"a key with a space inside", "dGhlIHNhbXBs ZSBub25jZQ=="},
                          Bad{"two keys in one field", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="},
                          Bad{"a key in quotes", "\"dGhlIHNhbXBsZSBub25jZQ==\""}}) {
        table.refuses(bad.name, key(bad.value), {400});
    }
}

// 4.4: another version is answered with the one that is spoken here.
void add_versions(Table& table) {
    table.section("4.2.1 6, 4.4");
    const auto version = [](std::string_view value) {
        return with(&Request::version, "Sec-WebSocket-Version: " + std::string(value));
    };
    table.opens("white space around the version", version("  13\t"));
    for (const char* value : {"0", "7", "8", "12", "14", "25", "255"}) {
        table.asks_for_upgrade("version "s + value, version(value)).with("Sec-WebSocket-Version", "13");
    }
    for (const char* value : {"", "013", "13.0", "+13", "thirteen", "13, 8", "256"}) {
        table.refuses("version '"s + value + "'", version(value), {400, 426});
    }
    table.refuses("no version", with(&Request::version, ""), {400, 426});
    table.refuses("two versions", version("8\r\nSec-WebSocket-Version: 13"), {400, 426});
    table.refuses("version 13 twice", version("13\r\nSec-WebSocket-Version: 13"), {400});
}

// 10.2: browsers let every page connect, and say which one it is.
void add_origins(Table& table) {
    table.section("10.2, 4.2.2 4");
    for (const char* origin : {"http://test", "https://test"}) {
        table.opens("the origin of the host itself: "s + origin, more("Origin: "s + origin));
    }
    Request port = more("Origin: http://test:8080");
    port.host = "Host: test:8080";
    table.opens("the origin of the host itself, with its port", port);
    for (const char* origin :
         {"https://evil.example", "null", "http://test.evil.example", "http://eviltest", "http://test:81",
          "http://test@evil.example", "test", "file://", "http://", "https://app.example"}) {
        table.refuses("the origin "s + origin, more("Origin: "s + origin), {403});
    }
    table.opens("an origin that is allowed", to("/chat", "Origin: https://app.example"));
    table.opens("the server's own where others are allowed", to("/chat", "Origin: http://test"));
    table.opens("no origin where some are allowed", to("/chat"));
    for (const char* origin :
         {"http://app.example", "https://app.example:444", "https://app.example.evil.example",
          "https://app.example/", "https://app.example https://evil.example"}) {
        table.refuses("not the allowed origin: "s + origin, to("/chat", "Origin: "s + origin), {400, 403});
    }
    table.refuses("two origins, of which the second is foreign",
                  more("Origin: http://test\r\nOrigin: https://evil.example"), {400, 403});
    table.opens("any origin where all are allowed", to("/any", "Origin: https://evil.example"));
    table.opens("the origin null where all are allowed", to("/any", "Origin: null"));
}

void add_protocols(Table& table) {
    table.section("4.2.2 5, 11.3.4");
    const auto offered = [](std::string_view value) {
        return to("/chat", "Sec-WebSocket-Protocol: " + std::string(value));
    };
    struct Choice {
        const char* offered;
        const char* chosen;
    };
    for (const Choice each : {Choice{"v1", "v1"}, Choice{"v2", "v2"}, Choice{"v1, v2", "v2"},
                              Choice{"v2,v1", "v2"}, Choice{"v0, v1", "v1"}, Choice{"v1 ,\tv2", "v2"},
                              Choice{"v1,,v2", "v2"}, Choice{"v1\r\nSec-WebSocket-Protocol: v2", "v2"},
                              Choice{"v0\r\nSec-WebSocket-Protocol: v1, v00", "v1"}}) {
        table.opens("offered '"s + each.offered + "', chosen " + each.chosen, offered(each.offered))
            .with("Sec-WebSocket-Protocol", each.chosen);
    }
    for (const char* value : {"v0", "V1", "v11", "v", "v1.0"}) {
        table.opens("offered "s + value + ", so none", offered(value)).without("Sec-WebSocket-Protocol");
    }
    table.opens("none is offered, so none is chosen", to("/chat")).without("Sec-WebSocket-Protocol");
    table.opens("some are offered where none is spoken", more("Sec-WebSocket-Protocol: v1, v2"))
        .without("Sec-WebSocket-Protocol");
    for (const char* value : {"", ",", "v 1", "v1; v2", "\"v1\"", "v1, v\xc3\xa4", "v(1)", "v1, v/2"}) {
        table.refuses("a list that is malformed: '"s + value + "'", offered(value), {400});
    }
}

void add_extensions(Table& table) {
    table.section("9.1");
    const auto offered = [](std::string_view value) {
        return more("Sec-WebSocket-Extensions: " + std::string(value));
    };
    for (const char* value : {"x-unknown", "x-unknown; a; b=c; d=\"e\"", "x-one, x-two;a=1", "x-one,, x-two",
                              "x-one\r\nSec-WebSocket-Extensions: x-two", "x-one ; a = b"}) {
        table.opens("unknown extensions: "s + value, offered(value)).without("Sec-WebSocket-Extensions");
    }
    for (const char* value : {";",
                              "; a",
                              "x-one;",
                              "x-one; ;a",
                              "x-one; =1",
                              "x-one; a=",
                              "x-one; a=b c",
                              "x one",
                              "x-one; a=\"",
                              "x-one; a=\"b",
                              "x-one; a=\"b c\"",
                              "x-one; a=\"\"",
                              "x-one; a==b",
                              "@",
                              "x-one; a=b;",
                              "x-one, x-two;",
                              "=a",
                              "\"x-one\"",
                              "x-one; \"a\"",
                              "permessage-deflate;",
                              "permessage-deflate; server_max_window_bits=",
                              "permessage-deflate; server_max_window_bits=\"10",
                              "permessage-deflate\r\nSec-WebSocket-Extensions: x-one;"}) {
        table.refuses("a list that is malformed: "s + value, offered(value), {400});
    }
}

std::size_t count_of(const AnswerHead& answer, std::string_view name) {
    return static_cast<std::size_t>(
        std::count_if(answer.fields.begin(), answer.fields.end(),
                      [&](const auto& field) { return is_same(field.first, name); }));
}

std::string trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(" \t") + 1 - begin));
}

}  // namespace

Handshake& Handshake::with(std::string_view name, std::string_view value) {
    fields.emplace_back(name, value);
    return *this;
}

Handshake& Handshake::without(std::string_view name) {
    absent.emplace_back(name);
    return *this;
}

std::vector<Handshake> handshakes() {
    Table table;
    add_requests(table);
    add_upgrades(table);
    add_keys(table);
    add_versions(table);
    add_origins(table);
    add_protocols(table);
    add_extensions(table);
    return table.take();
}

AnswerHead read_answer_head(std::string_view text) {
    AnswerHead head;
    if (text.size() < 12 || !text.starts_with("HTTP/1.")) return head;
    for (const char c : text.substr(9, 3)) head.status = head.status * 10 + (c - '0');
    for (std::size_t at = text.find("\r\n"); at != std::string_view::npos;) {
        const std::size_t next = text.find("\r\n", at + 2);
        const std::string_view line =
            text.substr(at + 2, next == std::string_view::npos ? next : next - at - 2);
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) break;
        head.fields.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
        at = next;
    }
    return head;
}

std::string complaint_about(const Handshake& row, const AnswerHead& answer) {
    if (std::find(row.statuses.begin(), row.statuses.end(), answer.status) == row.statuses.end()) {
        return "the status " + std::to_string(answer.status) + " instead of " +
               std::to_string(row.statuses.front());
    }
    for (const auto& [name, value] : row.fields) {
        const auto has = [&, &wanted_name = name, &wanted = value](const Handshake::Field& field) {
            return is_same(field.first, wanted_name) &&
                   (wanted_name == "Sec-WebSocket-Accept" ? field.second == wanted
                                                          : is_same(field.second, wanted));
        };
        if (count_of(answer, name) != 1) return name + " is not there once";
        if (std::none_of(answer.fields.begin(), answer.fields.end(), has)) return name + " is not " + value;
    }
    for (const std::string& name : row.absent) {
        if (count_of(answer, name) != 0) return name + " is there";
    }
    return {};
}

}  // namespace harness::ws
