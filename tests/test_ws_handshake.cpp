// The opening handshake of WebSocket (RFC 6455 section 4): requests, protocols and answers, row by row.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_ws_handshake {

using namespace sake::detail;
using sake::http::Headers;

namespace {

const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
const std::string accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The fields of a good request, with changes: without all of that name, and then with these values.
Fields request(const std::string& name = "", const std::vector<std::string>& values = {}) {
    Fields fields;
    const std::vector<std::pair<std::string, std::string>> good = {{"Host", "example.org"},
                                                                   {"Upgrade", "websocket"},
                                                                   {"Connection", "Upgrade"},
                                                                   {"Sec-WebSocket-Key", key},
                                                                   {"Sec-WebSocket-Version", "13"}};
    for (const auto& field : good) {
        if (!sake::iequals(field.first, name)) fields.push_back(field);
    }
    for (const std::string& value : values) fields.emplace_back(name, value);
    return fields;
}

WsAsk asked(const Fields& fields) { return ws_check_request(Method::get, false, fields).ask; }
WsAsk asked_with(const std::string& name, const std::vector<std::string>& values) {
    return asked(request(name, values));
}

std::string chosen(const std::vector<std::string>& lists, const std::vector<std::string>& ours) {
    Fields fields;
    for (const std::string& list : lists) fields.emplace_back("sec-websocket-protocol", list);
    const WsProtocol protocol = ws_choose_protocol(fields, ours);
    return protocol.is_malformed ? "malformed" : std::string(protocol.name);
}

/// The fields of a good answer, changed like those of a request.
Fields answer(const std::string& name = "", const std::vector<std::string>& values = {}) {
    Fields fields;
    const std::vector<std::pair<std::string, std::string>> good = {
        {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", accept}};
    for (const auto& field : good) {
        if (!sake::iequals(field.first, name)) fields.push_back(field);
    }
    for (const std::string& value : values) fields.emplace_back(name, value);
    return fields;
}

bool is_accepted(const Fields& fields, int status = 101) {
    return ws_check_answer(status, fields, key, {}).fault == nullptr;
}
bool is_accepted_with(const std::string& name, const std::vector<std::string>& values) {
    return is_accepted(answer(name, values));
}

}  // namespace

TEST_CASE("the key of the standard has the answer of the standard") { CHECK(ws_accept_key(key) == accept); }

TEST_CASE("a key is 16 bytes in strict base64") {
    CHECK(ws_is_key(key));
    CHECK(ws_is_key("AAAAAAAAAAAAAAAAAAAAAA=="));
    CHECK(ws_is_key("+/+/+/+/+/+/+/+/+/+/+w=="));
    for (std::size_t size = 0; size < 20; ++size)
        CHECK(ws_is_key(sake::base64_encode(std::string(size, '\xa5'))) == (size == 16));
    for (const std::string_view bad :
         {"", "==", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==",
          "dGhlIHNhbXBsZSBub25jZQ= ", "dGhlIHNhbXBsZSBub25jZQ===", "dGhl IHNhbXBsZSBub25jQ==",
          "dGhlIHNhbXBsZSBub25j-Q==", "=GhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQA="}) {
        CAPTURE(bad);
        CHECK_FALSE(ws_is_key(bad));
    }
    // The last letter has bits of a byte, and zeros.
    int good = 0;
    for (int c = 0; c < 256; ++c)
        good += ws_is_key("dGhlIHNhbXBsZSBub25jZ" + std::string(1, static_cast<char>(c)) + "==") ? 1 : 0;
    CHECK(good == 4);
}

TEST_CASE("a handshake is a GET with the five fields") {
    const Fields good = request();
    const WsAsked result = ws_check_request(Method::get, false, good);
    CHECK(result.ask == WsAsk::good);
    CHECK(result.key == key);
    CHECK(ws_check_request(Method::post, false, good).ask == WsAsk::bad_request);
    CHECK(ws_check_request(Method::head, false, good).ask == WsAsk::bad_request);
    CHECK(ws_check_request(Method::get, true, good).ask == WsAsk::not_asked);
    CHECK(ws_check_request(Method::get, false, Fields{}).ask == WsAsk::not_asked);
    const Headers headers{{"upgrade", "websocket"},
                          {"connection", "upgrade"},
                          {"sec-websocket-version", "13"},
                          {"sec-websocket-key", key}};
    CHECK(ws_check_request(Method::get, false, headers).ask == WsAsk::good);
}

TEST_CASE("Upgrade and Connection are lists, without regard to case") {
    for (const std::string good :
         {"websocket", "WebSocket", "h2c, websocket", "websocket ,foo", ",WEBSOCKET,"})
        CHECK(asked_with("Upgrade", {good}) == WsAsk::good);
    CHECK(asked_with("Upgrade", {"h2c", "websocket"}) == WsAsk::good);
    CHECK(asked_with("UPGRADE", {"websocket"}) == WsAsk::good);
    for (const std::string bad : {"", "h2c", "websocket/13", "websockets", "web socket", "websocket;a"})
        CHECK(asked_with("Upgrade", {bad}) == WsAsk::not_asked);
    CHECK(asked_with("Upgrade", {}) == WsAsk::not_asked);
    for (const std::string good : {"Upgrade", "upgrade", "keep-alive, Upgrade", "UPGRADE, close"})
        CHECK(asked_with("Connection", {good}) == WsAsk::good);
    CHECK(asked_with("Connection", {"keep-alive", "Upgrade"}) == WsAsk::good);
    for (const std::string bad : {"", "keep-alive", "close", "upgraded", "up grade"})
        CHECK(asked_with("Connection", {bad}) == WsAsk::not_asked);
    CHECK(asked_with("Connection", {}) == WsAsk::not_asked);
}

TEST_CASE("the version is 13, in one field") {
    for (const std::string other : {"", "0", "7", "8", "12", "14", "130", "013", "13, 8", "13.0", "+13"})
        CHECK(asked_with("Sec-WebSocket-Version", {other}) == WsAsk::bad_version);
    CHECK(asked_with("Sec-WebSocket-Version", {}) == WsAsk::bad_version);
    CHECK(asked_with("Sec-WebSocket-Version", {"13", "13"}) == WsAsk::bad_request);
    CHECK(asked_with("Sec-WebSocket-Version", {"8", "13"}) == WsAsk::bad_request);
}

TEST_CASE("there is one key, and no body") {
    CHECK(asked_with("Sec-WebSocket-Key", {}) == WsAsk::bad_request);
    CHECK(asked_with("Sec-WebSocket-Key", {""}) == WsAsk::bad_request);
    CHECK(asked_with("Sec-WebSocket-Key", {key + "="}) == WsAsk::bad_request);
    CHECK(asked_with("Sec-WebSocket-Key", {key, key}) == WsAsk::bad_request);
    CHECK(asked_with("Sec-WebSocket-Key", {key + ", " + key}) == WsAsk::bad_request);
    CHECK(asked_with("Content-Length", {"0"}) == WsAsk::good);
    CHECK(asked_with("Content-Length", {"000"}) == WsAsk::good);
    CHECK(asked_with("Content-Length", {"1"}) == WsAsk::bad_request);
    CHECK(asked_with("Content-Length", {"10"}) == WsAsk::bad_request);
    CHECK(asked_with("Transfer-Encoding", {"chunked"}) == WsAsk::bad_request);
}

TEST_CASE("of the protocols that are offered, that which the server likes best is chosen") {
    CHECK(chosen({}, {"a", "b"}).empty());
    CHECK(chosen({"a"}, {}).empty());
    CHECK(chosen({"a, b"}, {"b", "a"}) == "b");
    CHECK(chosen({"b, a"}, {"a", "b"}) == "a");
    CHECK(chosen({"c", "b ,d", "a"}, {"x", "a", "b"}) == "a");
    CHECK(chosen({"c,,b,"}, {"a", "b"}) == "b");
    CHECK(chosen({"c, d"}, {"a", "b"}).empty());
    CHECK(chosen({"A"}, {"a"}).empty());
    CHECK(chosen({"chat.v2+json"}, {"chat.v2+json"}) == "chat.v2+json");
}

TEST_CASE("an offer of protocols that is not a list of tokens is malformed") {
    for (const std::string bad : {"", ",", "a b", "a, b c", "a;q=1", "\"a\"", "a, \xc3\xa9", "a/b", "(a)"})
        CHECK(chosen({bad}, {"a"}) == "malformed");
    CHECK(chosen({"a", ""}, {"a"}) == "malformed");
    CHECK(chosen({"a=b"}, {}) == "malformed");
}

TEST_CASE("a client accepts the answer to its key, and no other") {
    CHECK(is_accepted(answer()));
    for (const int status : {100, 200, 301, 400, 426}) CHECK_FALSE(is_accepted(answer(), status));
    CHECK_FALSE(is_accepted({}));
    CHECK(is_accepted_with("upgrade", {"WebSocket"}));
    for (const std::string bad : {"", "h2c", "websocket, h2c", "websocket/13"})
        CHECK_FALSE(is_accepted_with("Upgrade", {bad}));
    CHECK_FALSE(is_accepted_with("Upgrade", {}));
    CHECK_FALSE(is_accepted_with("Upgrade", {"websocket", "websocket"}));
    CHECK(is_accepted_with("Connection", {"keep-alive, UPGRADE"}));
    CHECK(is_accepted_with("Connection", {"keep-alive", "upgrade"}));
    CHECK_FALSE(is_accepted_with("Connection", {"keep-alive"}));
    CHECK_FALSE(is_accepted_with("Connection", {}));
    CHECK_FALSE(is_accepted_with("Sec-WebSocket-Accept", {}));
    CHECK_FALSE(is_accepted_with("Sec-WebSocket-Accept", {""}));
    CHECK_FALSE(is_accepted_with("Sec-WebSocket-Accept", {accept, accept}));
    CHECK_FALSE(is_accepted_with("Sec-WebSocket-Accept", {key}));
    CHECK_FALSE(is_accepted_with("Sec-WebSocket-Accept", {"S3pPLMBiTxaQ9kYGzzhZRbK+xOo="}));
    const Fields good = answer();
    CHECK(ws_check_answer(101, good, "AAAAAAAAAAAAAAAAAAAAAA==", {}).fault != nullptr);
}

TEST_CASE("a client accepts one of the protocols that it has offered") {
    const auto result = [](const std::vector<std::string>& answered,
                           const std::vector<std::string>& offered) {
        const Fields fields = answer("Sec-WebSocket-Protocol", answered);
        const WsAnswer checked = ws_check_answer(101, fields, key, offered);
        return checked.fault != nullptr ? "refused" : std::string(checked.protocol);
    };
    CHECK(result({}, {}).empty());
    CHECK(result({}, {"a"}).empty());
    CHECK(result({"a"}, {"b", "a"}) == "a");
    CHECK(result({"a"}, {}) == "refused");
    CHECK(result({"c"}, {"a", "b"}) == "refused");
    CHECK(result({"A"}, {"a"}) == "refused");
    CHECK(result({""}, {"a"}) == "refused");
    CHECK(result({"a, b"}, {"a", "b"}) == "refused");
    CHECK(result({"a", "b"}, {"a", "b"}) == "refused");
    CHECK(result({"a", "a"}, {"a"}) == "refused");
}

}  // namespace test_ws_handshake
