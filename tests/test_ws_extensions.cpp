// The field Sec-WebSocket-Extensions and the agreement on permessage-deflate: what a server accepts and
// answers, and which answers a client takes.
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_ws_extensions {
namespace {

using sake::detail::WsDeflate;
using sake::detail::WsDeflateParameters;
using sake::detail::WsExtensionReader;
using sake::detail::WsNegotiation;
using sake::detail::WsWindows;
using Result = WsExtensionReader::Result;

/// A list in one spelling: "a;b=c,d", or "malformed".
std::string read(std::string_view list) {
    WsExtensionReader reader(list);
    std::string text;
    Result extension;
    while ((extension = reader.next_extension()) == Result::found) {
        if (!text.empty()) text += ',';
        text += reader.name;
        Result parameter;
        while ((parameter = reader.next_parameter()) == Result::found) {
            text.append(";").append(reader.parameter);
            if (reader.has_value) text.append("=").append(reader.value);
        }
        if (parameter == Result::malformed) return "malformed";
    }
    return extension == Result::end ? text : "malformed";
}

struct Accepted {
    bool is_valid;
    WsDeflate agreed;
    std::string answer;
};
Accepted accepted(std::string_view list, WsWindows windows = WsWindows::shared, int bits = 15) {
    Accepted outcome{};
    outcome.is_valid = sake::detail::ws_accept_offer(list, windows, bits, outcome.agreed, outcome.answer);
    return outcome;
}
/// The answer of a server, "400" or "none".
std::string answer_to(std::string_view list, WsWindows windows = WsWindows::shared, int bits = 15) {
    const Accepted outcome = accepted(list, windows, bits);
    CHECK(outcome.agreed.is_on == !outcome.answer.empty());
    if (!outcome.is_valid) return "400";
    return outcome.answer.empty() ? "none" : outcome.answer;
}

const std::string both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What a client agrees to, or one that is off if it fails the connection.
WsDeflate taken(std::string_view list, WsWindows windows = WsWindows::shared, int bits = 15) {
    WsDeflate agreed;
    agreed.is_on = true;
    const bool is_good = sake::detail::ws_take_answer(list, windows, bits, agreed);
    CHECK(is_good == agreed.is_on);
    return agreed;
}
bool takes(std::string_view list, WsWindows windows = WsWindows::shared, int bits = 15) {
    return taken(list, windows, bits).is_on;
}

}  // namespace

TEST_CASE("the list of extensions is read as RFC 6455 has it") {
    const std::pair<const char*, const char*> table[] = {
        {"a", "a"},
        {"a, b", "a,b"},
        {"a;b", "a;b"},
        {"a;b=c;d, e;f", "a;b=c;d,e;f"},
        {" \ta ; b = c ,\td\t", "a;b=c,d"},
        {"a;b=\"c\"", "a;b=c"},
        {"a;b = \"c\" ;d", "a;b=c;d"},
        {"a;b=\"\\c\\1\"", "a;b=c1"},
        {"!#$%&'*+-.^_`|~09", "!#$%&'*+-.^_`|~09"},
        // Empty items are left out.
        {",a", "a"},
        {"a,", "a"},
        {", ,a,\t, b ,,", "a,b"},
        // One extension at least.
        {"", "malformed"},
        {" ", "malformed"},
        {",", "malformed"},
        {", ,", "malformed"},
        // Names and values are tokens.
        {"a b", "malformed"},
        {"a/b", "malformed"},
        {"\"a\"", "malformed"},
        {"=", "malformed"},
        {"a=b", "malformed"},
        {";a", "malformed"},
        {"a;", "malformed"},
        {"a;,b", "malformed"},
        {"a;;b", "malformed"},
        {"a;=b", "malformed"},
        {"a;b=", "malformed"},
        {"a;b=,c", "malformed"},
        {"a;b==c", "malformed"},
        {"a;b c", "malformed"},
        {"a;b=c d", "malformed"},
        {"a;b=c=d", "malformed"},
        {"a;\"b\"", "malformed"},
        {"a\x7f", "malformed"},
        {"\xc3\xa4", "malformed"},
        {"a;b=\xc3\xa4", "malformed"},
        // So is what is quoted.
        {"a;b=\"\"", "malformed"},
        {"a;b=\"c d\"", "malformed"},
        {"a;b=\"c,d\"", "malformed"},
        {"a;b=\"\\\"\"", "malformed"},
        {"a;b=\"c", "malformed"},
        {"a;b=\"", "malformed"},
        {"a;b=\"c\\", "malformed"},
        {"a;b=\"c\\\"", "malformed"},
        {"a;b=\"c\"d", "malformed"},
        {"a;b=\"c\"\"d\"", "malformed"},
        {"a;b=c\"d\"", "malformed"},
        {"a;b='c d'", "malformed"},
    };
    for (const auto& [list, expected] : table) {
        CAPTURE(list);
        CHECK(read(list) == expected);
        // What the syntax refuses is refused in whole, by either end.
        const bool is_valid = std::string_view(expected) != "malformed";
        CHECK((answer_to(list) == "400") == !is_valid);
        if (!is_valid) CHECK_FALSE(takes(list));
        CHECK((answer_to(std::string("permessage-deflate, x") + list) == "400") ==
              (read(std::string("x") + list) == "malformed"));
    }
}

TEST_CASE("a NUL is no part of a token") {
    CHECK(read(std::string_view("a\0b", 3)) == "malformed");
    CHECK(read(std::string_view("a;b=\"\0\"", 7)) == "malformed");
}

TEST_CASE("a server accepts the first offer that it can") {
    CHECK(answer_to("permessage-deflate") == both);
    // Chromium, Firefox, and Safari.
    CHECK(answer_to("permessage-deflate; client_max_window_bits") == both);
    CHECK(answer_to("x-webkit-deflate-frame") == "none");
    CHECK(answer_to("x-webkit-deflate-frame, permessage-deflate") == both);
    CHECK(answer_to("mux; max-channels=4; flow-control, deflate-stream") == "none");
    CHECK(answer_to("mux; max=\"4\", permessage-deflate; nonsense, permessage-deflate") == both);
    CHECK(answer_to("permessage-deflate; server_max_window_bits=10, permessage-deflate") ==
          both + "; server_max_window_bits=10");
    CHECK(answer_to("permessage-deflate, permessage-deflate; server_max_window_bits=10") == both);
    CHECK(answer_to("Permessage-Deflate") == "none");
    // What is wrong behind the one that is accepted is wrong all the same.
    CHECK(answer_to("permessage-deflate, a;") == "400");
}

TEST_CASE("each parameter of an offer is legal or declines it") {
    const auto expect = [](const std::string& parameters, bool is_legal) {
        CAPTURE(parameters);
        for (const WsWindows windows : {WsWindows::shared, WsWindows::dedicated}) {
            CHECK((answer_to("permessage-deflate; " + parameters, windows) != "none") == is_legal);
            // The next offer counts then.
            CHECK(answer_to("permessage-deflate; " + parameters + ", permessage-deflate", windows) != "none");
        }
    };
    for (const std::string flag : {"server_no_context_takeover", "client_no_context_takeover"}) {
        expect(flag, true);
        for (const char* value : {"=1", "=true", "=10", "=\"10\""}) expect(flag + value, false);
        expect(flag + "; " + flag, false);
        expect(flag + "; x", false);
    }
    for (const std::string bits : {"server_max_window_bits", "client_max_window_bits"}) {
        for (int value = 9; value <= 15; ++value) {
            expect(bits + "=" + std::to_string(value), true);
            expect(bits + "=\"" + std::to_string(value) + "\"", true);
        }
        for (const char* value :
             {"0", "7", "16", "08", "010", "09", "1", "115", "-9", "+9", "0x9", "9.0", "8a", "a8", "150"}) {
            expect(bits + "=" + value, false);
            expect(bits + "=\"" + value + "\"", false);
        }
        expect(bits + "=10; " + bits + "=10", false);
        expect(bits + "=10; " + bits, false);
        expect(bits + "; " + bits + "=10", false);
        expect(bits + "=10; x=10", false);
        expect("x; " + bits + "=10", false);
    }
    // Without a value a client's window is a name, a server's is nothing.
    expect("client_max_window_bits", true);
    expect("server_max_window_bits", false);
    // zlib can inflate for a window of 8, but not compress.
    expect("client_max_window_bits=8", true);
    expect("server_max_window_bits=8", false);
    expect("SERVER_NO_CONTEXT_TAKEOVER", false);
    expect(
        "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; "
        "client_max_window_bits=9",
        true);
}

TEST_CASE("a value that is empty is not in the syntax") {
    for (const char* value : {"=", "=\"\"", "= ", "=;"}) {
        CHECK(answer_to(std::string("permessage-deflate; server_max_window_bits") + value) == "400");
        CHECK_FALSE(takes(std::string("permessage-deflate; server_max_window_bits") + value));
    }
}

TEST_CASE("shared windows: nothing is kept, whatever is offered") {
    const char* offers[] = {"permessage-deflate", "permessage-deflate; client_max_window_bits=9",
                            "permessage-deflate; server_no_context_takeover",
                            "permessage-deflate; client_no_context_takeover; client_max_window_bits"};
    for (const char* offer : offers) {
        CAPTURE(offer);
        for (const int bits : {9, 15}) {
            CHECK(answer_to(offer, WsWindows::shared, bits) == both);
            CHECK(accepted(offer, WsWindows::shared, bits).agreed == WsDeflate{true, true, true, 15, 15});
        }
    }
    for (int bits = 9; bits <= 15; ++bits) {
        const std::string limit = "; server_max_window_bits=" + std::to_string(bits);
        CHECK(answer_to("permessage-deflate" + limit) == both + limit);
        CHECK(accepted("permessage-deflate" + limit).agreed == WsDeflate{true, true, true, bits, 15});
    }
}

TEST_CASE("dedicated windows are kept, unless the client asks not to") {
    const auto answer = [](const std::string& parameters, int bits) {
        return answer_to("permessage-deflate" + parameters, WsWindows::dedicated, bits)
            .substr(std::string_view("permessage-deflate").size());
    };
    struct Row {
        const char* offer;
        int bits;
        const char* answer;
        WsDeflate agreed;
    };
    const Row table[] = {
        {"", 15, "", {true, false, false, 15, 15}},
        {"; client_max_window_bits", 15, "", {true, false, false, 15, 15}},
        {"; server_no_context_takeover", 15, "; server_no_context_takeover", {true, true, false, 15, 15}},
        {"; client_no_context_takeover", 15, "; client_no_context_takeover", {true, false, true, 15, 15}},
        // The server's window: the smaller limit, in the answer whenever it was in the offer.
        {"; server_max_window_bits=15", 15, "; server_max_window_bits=15", {true, false, false, 15, 15}},
        {"; server_max_window_bits=14", 15, "; server_max_window_bits=14", {true, false, false, 14, 15}},
        {"; server_max_window_bits=12; client_max_window_bits",
         11,
         "; server_max_window_bits=11; client_max_window_bits=11",
         {true, false, false, 11, 11}},
        {"; server_max_window_bits=10; client_max_window_bits",
         11,
         "; server_max_window_bits=10; client_max_window_bits=11",
         {true, false, false, 10, 11}},
        // The client's window: its limit is a hint to the server.
        {"; client_max_window_bits",
         12,
         "; server_max_window_bits=12; client_max_window_bits=12",
         {true, false, false, 12, 12}},
        {"; client_max_window_bits=13",
         12,
         "; server_max_window_bits=12; client_max_window_bits=12",
         {true, false, false, 12, 12}},
        {"; client_max_window_bits=11",
         12,
         "; server_max_window_bits=12; client_max_window_bits=11",
         {true, false, false, 12, 11}},
        {"; client_max_window_bits=11", 15, "; client_max_window_bits=11", {true, false, false, 15, 11}},
        {"; client_max_window_bits=8", 15, "; client_max_window_bits=8", {true, false, false, 15, 8}},
        // One that cannot be limited is not kept.
        {"", 14, "; client_no_context_takeover; server_max_window_bits=14", {true, false, true, 14, 15}},
        {"; client_no_context_takeover; client_max_window_bits=10",
         14,
         "; client_no_context_takeover; server_max_window_bits=14",
         {true, false, true, 14, 15}},
        {"; server_no_context_takeover; client_max_window_bits",
         9,
         "; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9",
         {true, true, false, 9, 9}},
    };
    for (const Row& row : table) {
        CAPTURE(row.offer);
        CAPTURE(row.bits);
        CHECK(answer(row.offer, row.bits) == row.answer);
        CHECK(
            accepted(std::string("permessage-deflate") + row.offer, WsWindows::dedicated, row.bits).agreed ==
            row.agreed);
    }
}

TEST_CASE("an answer never names the window of a client that has not") {
    for (const WsWindows windows : {WsWindows::shared, WsWindows::dedicated}) {
        for (int bits = 9; bits <= 15; ++bits) {
            for (const char* offer : {"permessage-deflate", "permessage-deflate; server_max_window_bits=9",
                                      "permessage-deflate; server_no_context_takeover"}) {
                CHECK(answer_to(offer, windows, bits).find("client_max") == std::string::npos);
            }
        }
    }
}

TEST_CASE("what a client offers is legal, and what a server answers to it is taken") {
    for (const WsWindows client : {WsWindows::shared, WsWindows::dedicated}) {
        for (int bits = 9; bits <= 15; ++bits) {
            std::string offer;
            sake::detail::append_ws_offer(client, bits, offer);
            CAPTURE(offer);
            for (const WsWindows server : {WsWindows::shared, WsWindows::dedicated}) {
                for (int most = 9; most <= 15; ++most) {
                    const Accepted outcome = accepted(offer, server, most);
                    CAPTURE(outcome.answer);
                    REQUIRE(outcome.agreed.is_on);
                    const WsDeflate agreed = taken(outcome.answer, client, bits);
                    CHECK(agreed.is_on);
                    // Each end sends what the other can inflate.
                    CHECK(agreed.server_no_context_takeover == outcome.agreed.server_no_context_takeover);
                    CHECK(agreed.client_no_context_takeover == outcome.agreed.client_no_context_takeover);
                    CHECK(agreed.server_max_window_bits == outcome.agreed.server_max_window_bits);
                    CHECK(agreed.client_max_window_bits <= outcome.agreed.client_max_window_bits);
                    if (client == WsWindows::shared) CHECK(agreed.server_no_context_takeover);
                    if (client == WsWindows::dedicated) CHECK(agreed.server_max_window_bits <= bits);
                }
            }
        }
    }
    std::string offer;
    sake::detail::append_ws_offer(WsWindows::shared, 15, offer);
    CHECK(offer == both + "; client_max_window_bits");
    offer.clear();
    sake::detail::append_ws_offer(WsWindows::dedicated, 15, offer);
    CHECK(offer == "permessage-deflate; client_max_window_bits");
    offer.clear();
    sake::detail::append_ws_offer(WsWindows::dedicated, 12, offer);
    CHECK(offer == "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12");
}

TEST_CASE("a client fails the connection for what it did not offer") {
    CHECK(takes(both));
    CHECK_FALSE(takes("permessage-deflat"));
    CHECK_FALSE(takes("Permessage-Deflate; server_no_context_takeover"));
    CHECK_FALSE(takes("x"));
    CHECK_FALSE(takes(both + ", x"));
    CHECK_FALSE(takes("x, " + both));
    CHECK_FALSE(takes(both + ", " + both));
    CHECK_FALSE(takes(both + "; x"));
    CHECK_FALSE(takes(both + "; x=1"));
    CHECK_FALSE(takes(both + "; client_no_context_takeover"));
    CHECK_FALSE(takes(""));
}

TEST_CASE("each parameter of an answer is legal or fails the connection") {
    const std::string start = "permessage-deflate; server_no_context_takeover";
    for (const std::string bits : {"; server_max_window_bits", "; client_max_window_bits"}) {
        for (int value = 8; value <= 15; ++value) {
            CHECK(takes(start + bits + "=" + std::to_string(value)));
            CHECK(takes(start + bits + "=\"" + std::to_string(value) + "\""));
        }
        for (const char* value : {"", "=0", "=7", "=16", "=08", "=010", "=1", "=4294967305", "=-9", "=9x",
                                  "=\"7\"", "=18446744073709551625"}) {
            CAPTURE(value);
            CHECK_FALSE(takes(start + bits + value));
        }
        CHECK_FALSE(takes(start + bits + "=9" + bits + "=9"));
    }
    CHECK_FALSE(takes(start + "=1"));
    CHECK_FALSE(takes(start + "; client_no_context_takeover=1"));
    CHECK_FALSE(takes(start + "; server_no_context_takeover"));
}

TEST_CASE("an answer grants what was offered") {
    // shared: the server keeps no window, and the client none without being told.
    CHECK_FALSE(takes("permessage-deflate"));
    CHECK_FALSE(takes("permessage-deflate; client_no_context_takeover"));
    CHECK(taken("permessage-deflate; server_no_context_takeover") == WsDeflate{true, true, true, 15, 15});
    CHECK(taken(both + "; client_max_window_bits=8") == WsDeflate{true, true, true, 15, 8});
    CHECK(taken(both + "; server_max_window_bits=8") == WsDeflate{true, true, true, 8, 15});
    // dedicated: limits may be smaller than those offered, and for the client's window larger.
    const auto dedicated = [](const char* parameters, int bits) {
        return taken(std::string("permessage-deflate") + parameters, WsWindows::dedicated, bits);
    };
    CHECK(dedicated("", 15) == WsDeflate{true, false, false, 15, 15});
    CHECK(dedicated("; server_no_context_takeover", 15) == WsDeflate{true, true, false, 15, 15});
    CHECK(dedicated("; client_no_context_takeover", 15) == WsDeflate{true, false, true, 15, 15});
    CHECK_FALSE(dedicated("", 12).is_on);
    CHECK_FALSE(dedicated("; server_max_window_bits=13", 12).is_on);
    CHECK(dedicated("; server_max_window_bits=12", 12) == WsDeflate{true, false, false, 12, 12});
    CHECK(dedicated("; server_max_window_bits=11", 12) == WsDeflate{true, false, false, 11, 12});
    CHECK(dedicated("; server_max_window_bits=12; client_max_window_bits=13", 12) ==
          WsDeflate{true, false, false, 12, 12});
    CHECK(dedicated("; server_max_window_bits=12; client_max_window_bits=11", 12) ==
          WsDeflate{true, false, false, 12, 11});
}

TEST_CASE("a client that offers no limit of its own window is given none") {
    const WsDeflateParameters limit{false, false, 0, 12};
    CHECK_FALSE(sake::detail::accepts_ws_offer(limit, {}));
    CHECK(sake::detail::accepts_ws_offer(limit, {false, false, 0, 15}));
    CHECK(sake::detail::accepts_ws_offer({false, false, 12, 0}, {}));
}

TEST_CASE("a long list is read in linear time") {
    std::string list;
    for (int i = 0; i < 100'000; ++i) list += "permessage-deflate; x; y=\"\\z\", , ";
    CHECK(answer_to(list + "permessage-deflate") == both);
    CHECK(answer_to(list + "permessage-deflate;") == "400");
    CHECK(answer_to(std::string(1'000'000, ',') + "permessage-deflate") == both);
    CHECK(answer_to("a;b=\"" + std::string(1'000'000, '\\')) == "400");
}

}  // namespace test_ws_extensions
