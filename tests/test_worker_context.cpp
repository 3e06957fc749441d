// W8: the documents that cross to a worker and back. Everything survives the round trip exactly, and a
// document that is hostile, truncated or of another version is refused in words.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sake.hpp"

namespace test_worker_context {

using namespace std::string_literals;
using sake::from_text;
using sake::Json;
using sake::to_text;
using sake::WorkerContext;
using sake::WorkerResponse;

namespace {

std::string every_byte() {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    return bytes;
}

WorkerContext full_context() {
    WorkerContext request;
    request.route = "/users/:id/*rest";
    request.method = "POST";
    request.target = "/users/%C3%A4/x/y?a=b&c=%20";
    request.path = "/users/\xC3\xA4/x/y";
    request.params = {{"id", "\xC3\xA4"}, {"rest", "x/y"}};
    request.query = "a=b&c=%20";
    request.headers = {
        {"Host", "test"}, {"X-Twice", "1"}, {"x-twice", "2"}, {"X-Latin", "caf\xE9"}, {"Empty", ""}};
    request.body = every_byte();
    request.values = {{"user", {{"id", 7}, {"tags", {"a", "b"}}}}, {"null", nullptr}, {"pi", 3.25}};
    request.remote_address = "2001:db8::1";
    request.client_ip = "203.0.113.7";
    request.user = "ann \xFF";
    request.request_id = "job-17";
    request.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request.tracestate = "a=1";
    request.parent_id = "b7ad6b7169203331";
    request.response.status = 201;
    request.response.headers = {{"X-Request-Id", "17"}};
    return request;
}

WorkerContext with_values(Json values) {
    WorkerContext request;
    request.values = std::move(values);
    return request;
}

/// An object as values_tagged has it, and one with bytes in it.
Json tagged_object(Json members) { return {{"object", std::move(members)}}; }
Json pair(Json name, Json value) { return Json::array({std::move(name), std::move(value)}); }
Json bytes_with(Json subtype) {
    return tagged_object(Json::array({pair("a", {{"binary", pair("eA==", std::move(subtype))}})}));
}

/// What from_text says about a document; empty if it takes it.
template <class Document>
std::string refusal(const std::string& text, sake::WorkerLimits limits = {}) {
    try {
        static_cast<void>(from_text<Document>(text, limits));
        return {};
    } catch (const sake::JsonError& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("W8 a request crosses as JSON and comes out the same, whatever its bytes") {
    const WorkerContext request = full_context();
    const std::string text = to_text(request);
    CHECK(from_text<WorkerContext>(text) == request);
    const Json document = Json::parse(text);
    CHECK(document["version"] == 1);
    CHECK(document["params"][0] == Json::array({"id", "\xC3\xA4"}));
    CHECK(document["headers"].size() == 5);
    CHECK(document["body"]["base64"] == sake::base64_encode(every_byte()));
    CHECK(from_text<WorkerContext>(to_text(WorkerContext())) == WorkerContext());
}

TEST_CASE("W8 every single byte, and every pair that ends in it, crosses in every field of text") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        for (const std::string& bytes :
             {std::string(1, static_cast<char>(byte)), "x"s + static_cast<char>(byte),
              std::string(20, 'y') + static_cast<char>(byte) + "z"}) {
            WorkerContext request;
            request.route = request.method = request.target = request.path = bytes;
            request.query = request.body = request.remote_address = bytes;
            request.params = request.headers = {{bytes, bytes}};
            request.response.body = request.response.content_type = bytes;
            CHECK(from_text<WorkerContext>(to_text(request)) == request);
        }
    }
}

TEST_CASE("W8 a response crosses with its status, headers in order, body and values") {
    WorkerResponse response;
    response.status = 404;
    response.content_type = "text/plain; charset=utf-8";
    response.headers = {{"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}, {"X", ""}};
    response.body = every_byte();
    response.values = {{"seen", true}};
    response.close = response.aborted = true;
    CHECK(from_text<WorkerResponse>(to_text(response)) == response);
    CHECK(from_text<WorkerResponse>(to_text(WorkerResponse())) == WorkerResponse());
}

TEST_CASE("W8 values cross exactly, those that JSON has no form for too") {
    const double largest = std::numeric_limits<double>::max();
    const std::vector<Json> exact = {
        Json::object(),
        {{"n", std::uint64_t{1} << 63U}},
        {{"n", std::numeric_limits<std::uint64_t>::max()}},
        {{"n", std::numeric_limits<std::int64_t>::min()}},
        {{"n", largest}},
        {{"n", 0.1}},
        {{"n", -0.0}},
        {{"n", 5e-324}},
        {{"text", "\"\\\n\x01\x7f\xC3\xA4"}},
        {{"base64", "not a tag"}, {"values_tagged", 1}},
        {{"", {{"", Json::array({Json::array(), Json::object()})}}}},
        {{"latin", "caf\xE9"}},
        {{"inf", std::numeric_limits<double>::infinity()}, {"object", {{"number", "nan"}}}},
        {{"binary", Json::binary({0, 255, 7})}},
        {{"binary", Json::binary({1}, 42)}},
        {{"caf\xE9", {1, {{"deep", {"\xff", nullptr, false}}}}}},
    };
    for (const Json& values : exact) {
        CAPTURE(values.size());
        const auto back = from_text<WorkerContext>(to_text(with_values(values)));
        CHECK(back.values == values);
    }
    CHECK(std::signbit(
        from_text<WorkerContext>(to_text(with_values({{"n", -0.0}}))).values["n"].get<double>()));
    const Json nan = {{"list", {std::nan(""), 1}}};
    const Json back = from_text<WorkerContext>(to_text(with_values(nan))).values;
    CHECK(std::isnan(back["list"][0].get<double>()));
    CHECK(back["list"][1] == 1);
}

TEST_CASE("W8 a text that ends too early is refused, wherever it ends") {
    const std::string text = to_text(full_context());
    for (std::size_t size = 0; size < text.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(refusal<WorkerContext>(text.substr(0, size)).empty());
    }
    CHECK(refusal<WorkerContext>(text + " \n").empty());
    CHECK(refusal<WorkerContext>(text + "x").find("something follows the end") != std::string::npos);
}

TEST_CASE("W8 what is no document is refused in words that name the member") {
    const Json good = Json::parse(to_text(full_context()));
    const auto with = [&](const char* name, Json value) {
        Json changed = good;
        changed[name] = std::move(value);
        return changed.dump();
    };
    struct Row {
        std::string text;
        std::string words;
    };
    const std::vector<Row> rows = {
        {"", "expected an object"},
        {"[]", "expected an object"},
        {"{}", "'version' is missing"},
        {R"({"version":2})", "'version' is not 1"},
        {R"({"version":"1"})", "expected an integer"},
        {R"({"version":1})", "'route' is missing"},
        {with("method", 7), "expected an object"},
        {with("method", {{"base63", "eA=="}}), "'method' must be a string or"},
        {with("method", {{"base64", "eA="}}), "'method' is not valid base64"},
        {with("headers", {{"a", "b"}}), "expected an array"},
        {with("headers", {{"a", "b"}, Json::array({"a"})}), "'headers' must be a list of [name, value]"},
        {with("headers", Json::array({Json::array({"a", "b", "c"})})),
         "'headers' must be a list of [name, value]"},
        {with("values", {1, 2}), "'values' must be an object"},
        {with("response", 1), "expected an object"},
        {R"({"version":1,"route":")" + "\x01"s + R"("})", "a control character in a string"},
        {R"({"version":1,"route":")" + "\xff"s + R"("})", "not UTF-8"},
        {R"({"version":1,"route":"\ud800"})", "surrogate"},
        {R"({"version":1,"route":"\udc00"})", "surrogate"},
        {R"({"version":1,"route":"\u12g4"})", "hexadecimal"},
        {R"({"version":1,"route":"\x"})", "unknown escape"},
        {R"({"version":1 "route":""})", "expected a comma"},
        {R"({"version":1.5})", "expected an integer"},
        {R"({"version":01})", "a leading zero"},
        {R"({"version":1,"version":1})", "'version' is there twice"},
        {R"({"version":1,"route":"a","route":"b"})", "'route' is there twice"},
        {R"({"version":99999999999999999999})", "expected an integer"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const std::string seen = refusal<WorkerContext>(row.text);
        CHECK(seen.find(row.words) != std::string::npos);
    }
    for (const int status : {199, 600, -1, 0}) {
        Json document = Json::parse(to_text(WorkerResponse()));
        document["status"] = status;
        CHECK(refusal<WorkerResponse>(document.dump()).find("'status' must be from 200 to 599") !=
              std::string::npos);
    }
    for (const Json& tag : {Json(7),
                            Json{{"object", 7}},
                            Json{{"number", "one"}},
                            Json{{"base64", "!"}},
                            Json{{"binary", "eA=="}},
                            Json{{"other", 1}},
                            Json{{"a", 1}, {"b", 2}},
                            bytes_with(1e300),
                            bytes_with(-1),
                            bytes_with(1.5),
                            bytes_with(1.0),
                            bytes_with(true),
                            bytes_with("1"),
                            bytes_with(Json::array()),
                            bytes_with(18446744073709551616.0),
                            Json{{"binary", Json::array({"eA=="})}},
                            Json{{"binary", Json::array({"eA==", 1, 2})}},
                            Json{{"binary", pair(7, 1)}},
                            tagged_object(7),
                            tagged_object(Json::object()),
                            tagged_object(Json::array({Json::array({"a", 1, 2})})),
                            tagged_object(Json::array({Json::array({"a"})})),
                            tagged_object(Json::array({pair(7, 1)})),
                            tagged_object(Json::array({pair("a", 1), pair("a", 2)})),
                            tagged_object(Json::array({pair("a", bytes_with(-1))}))}) {
        CAPTURE(tag.dump());
        Json document = Json::parse(to_text(WorkerResponse()));
        document.erase("values");
        document["values_tagged"] = tag;
        CHECK(refusal<WorkerResponse>(document.dump()).find("values_tagged") != std::string::npos);
    }
    for (const Json& tag : {bytes_with(nullptr), bytes_with(0), bytes_with(18446744073709551615U),
                            tagged_object(Json::array())}) {
        CAPTURE(tag.dump());
        Json document = Json::parse(to_text(WorkerResponse()));
        document.erase("values");
        document["values_tagged"] = tag;
        CHECK(refusal<WorkerResponse>(document.dump()) == "");
    }
}

TEST_CASE("W8 a document has each member once, also those that may be missing") {
    const Json request = Json::parse(to_text(full_context()));
    for (const auto& [name, value] : request.items()) {
        CAPTURE(name);
        std::string text = request.dump();
        text.insert(text.size() - 1, "," + Json(name).dump() + ":" + value.dump());
        CHECK(refusal<WorkerContext>(text).find("'" + name + "' is there twice") != std::string::npos);
    }
    WorkerResponse full;
    full.error = "e";
    full.file = "f";
    const Json response = Json::parse(to_text(full));
    for (const auto& [name, value] : response.items()) {
        CAPTURE(name);
        std::string text = response.dump();
        text.insert(text.size() - 1, "," + Json(name).dump() + ":" + value.dump());
        CHECK(refusal<WorkerResponse>(text).find("'" + name + "' is there twice") != std::string::npos);
    }
}

TEST_CASE("W8 members that are not known are skipped, and escapes mean what they mean") {
    Json document = Json::parse(to_text(full_context()));
    document["of_a_later_version"] = {{"a", {1, 2.5, true, nullptr, "x"}}};
    CHECK(from_text<WorkerContext>(document.dump()) == full_context());
    const std::string text =
        R"({ "version" : 1 , "status":200,"content_type":"\u0041\u00e4\u20ac\ud83c\udf76\/\b\f\n\r\t",)"
        R"("headers":[ ],"body":"","values":{"a":[1]},"close":false,"aborted":true})";
    const auto response = from_text<WorkerResponse>(text);
    CHECK(response.content_type == "A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8D\xB6/\b\f\n\r\t");
    CHECK(response.values == Json{{"a", {1}}});
}

TEST_CASE("W8 size and depth have limits, to the byte and the level") {
    const std::string text = to_text(full_context());
    CHECK(refusal<WorkerContext>(text, {.bytes = text.size()}).empty());
    CHECK(refusal<WorkerContext>(text, {.bytes = text.size() - 1}) ==
          "worker document: larger than " + std::to_string(text.size() - 1) + " bytes");
    const auto nested = [](int levels) {
        return R"({"x":)" + std::string(static_cast<std::size_t>(levels), '[') +
               std::string(static_cast<std::size_t>(levels), ']') + "}";
    };
    CHECK(refusal<WorkerContext>(nested(9), {.depth = 10}).find("'version' is missing") != std::string::npos);
    CHECK(refusal<WorkerContext>(nested(10), {.depth = 10}).find("nests too deep") != std::string::npos);
    CHECK(refusal<WorkerContext>(R"({"x":)" + std::string(1'000'000, '['), {}).find("nests too deep") !=
          std::string::npos);
    CHECK(refusal<WorkerContext>(std::string(1'000'000, '{'), {}) != "");
}

TEST_CASE("W8 a response may carry what the handler of another process threw") {
    WorkerResponse response;
    CHECK(to_text(response).find("error") == std::string::npos);
    response.status = 404;
    response.error = "no such user\xff";
    CHECK(from_text<WorkerResponse>(to_text(response)) == response);
    const std::string text = to_text(WorkerResponse());
    const auto with = [&](const std::string& members) {
        return refusal<WorkerResponse>(text.substr(0, text.size() - 1) + members + "}");
    };
    CHECK(with(R"(,"error":"")") == "");
    CHECK(with(R"(,"error":"a","error":"b")").find("'error' is there twice") != std::string::npos);
    CHECK(with(R"(,"error":7)") != "");
    std::string request = to_text(full_context());
    request.insert(request.size() - 1, ",\"response\":" + text);
    CHECK(refusal<WorkerContext>(request).find("'response' is there twice") != std::string::npos);
}

TEST_CASE("W8 a document may have as many values as the limit, and no more") {
    const std::string text = to_text(full_context());
    std::size_t least = 1;
    while (!refusal<WorkerContext>(text, {.values = least}).empty()) {
        REQUIRE(refusal<WorkerContext>(text, {.values = least}).find("too many values") != std::string::npos);
        REQUIRE(++least < 1000);
    }
    CHECK(least > 20);
    CHECK(refusal<WorkerContext>(text, {.values = least + 1}).empty());
    std::string many = R"({"x":[0)";
    for (int i = 0; i < 1'000'000; ++i) many += ",0";
    CHECK(refusal<WorkerContext>(many, {}).find("too many values") != std::string::npos);
}

TEST_CASE("the documents convert to and from Json as nlohmann's types do") {
    const Json json = full_context();
    CHECK(json["route"] == "/users/:id/*rest");
    CHECK(json.get<WorkerContext>() == full_context());
    WorkerResponse response;
    response.body = "\xff";
    CHECK(Json(response).get<WorkerResponse>() == response);
}

}  // namespace test_worker_context
