// The form in which a request goes to a worker and its response comes back: plain data with a JSON schema
// that other programs may read, exact to the byte. docs/worker-context.md describes the schema.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/base/json.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace v0 {

/// A response as it travels. The fields are those that handlers set.
struct WorkerResponse {
    int status = 200;
    std::string content_type = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    Json values = Json::object();  // those of the request, as the handler left them
    bool close = false;            // the handler wants the connection closed
    bool aborted = false;          // the handler called ctx.abort()

    bool operator==(const WorkerResponse&) const = default;
};

/// A request as it travels. All text may hold any bytes; what is not UTF-8 crosses as base64.
struct WorkerContext {
    static constexpr int version = 1;  // of the schema

    std::string route = {};  // the pattern: "/users/:id"
    std::string method = {};
    std::string target = {};                                        // as it was sent
    std::string path = {};                                          // decoded
    std::vector<std::pair<std::string, std::string>> params = {};   // of the path, decoded, in pattern order
    std::string query = {};                                         // what follows the '?', as it was sent
    std::vector<std::pair<std::string, std::string>> headers = {};  // in the order received, with duplicates
    std::string body = {};
    Json values = Json::object();  // what ctx.set has set
    std::string remote_address = {};
    WorkerResponse response = {};  // what middleware has set so far

    bool operator==(const WorkerContext&) const = default;
};

/// How large and how deeply nested a document may be that is read.
struct WorkerLimits {
    std::size_t bytes = 256 * 1024 * 1024;
    std::size_t depth = 128;
};

void to_json(Json& document, const WorkerContext& request);
void from_json(const Json& document, WorkerContext& request);
void to_json(Json& document, const WorkerResponse& response);
void from_json(const Json& document, WorkerResponse& response);

/// The document as JSON text.
[[nodiscard]] std::string to_text(const WorkerContext& request);
[[nodiscard]] std::string to_text(const WorkerResponse& response);

/// Reads a document. Throws JsonError that says what is wrong with it.
template <class Document>
[[nodiscard]] Document from_text(std::string_view text, WorkerLimits limits = {});

namespace detail {

/// Text as itself, other bytes as {"base64": "..."}.
inline Json bytes_to_json(std::string_view bytes) {
    if (is_valid_utf8(bytes)) return Json(bytes);
    return Json{{"base64", base64_encode(bytes)}};
}

[[noreturn]] inline void refuse_document(std::string_view name, std::string_view must) {
    throw JsonError("worker document: '" + std::string(name) + "' " + std::string(must));
}

inline const Json& member_of(const Json& document, const char* name) {
    const auto found = document.find(name);
    if (found == document.end()) refuse_document(name, "is missing");
    return *found;
}

inline std::string bytes_from_json(const Json& value, const char* name) {
    if (value.is_string()) return value.get_ref<const std::string&>();
    if (value.is_object() && value.size() == 1 && value.contains("base64") && value["base64"].is_string()) {
        if (auto bytes = base64_decode(value["base64"].get_ref<const std::string&>()))
            return std::move(*bytes);
        refuse_document(name, "is not valid base64");
    }
    refuse_document(name, "must be a string or {\"base64\": string}");
}

using TextPairs = std::vector<std::pair<std::string, std::string>>;

inline Json pairs_to_json(const TextPairs& pairs) {
    Json list = Json::array();
    for (const auto& [name, value] : pairs) {
        Json pair = Json::array();
        pair.push_back(bytes_to_json(name));
        pair.push_back(bytes_to_json(value));
        list.push_back(std::move(pair));
    }
    return list;
}

inline TextPairs pairs_from_json(const Json& list, const char* name) {
    if (!list.is_array()) refuse_document(name, "must be a list of [name, value]");
    TextPairs pairs;
    pairs.reserve(list.size());
    for (const Json& pair : list) {
        if (!pair.is_array() || pair.size() != 2) refuse_document(name, "must be a list of [name, value]");
        pairs.emplace_back(bytes_from_json(pair[0], name), bytes_from_json(pair[1], name));
    }
    return pairs;
}

/// Whether JSON text carries the value exactly: it has no form for infinities, NaN, bytes, and text that is
/// not UTF-8.
inline bool is_exact_in_text(const Json& value) {
    switch (value.type()) {
        case Json::value_t::number_float:
            return std::isfinite(value.get<double>());
        case Json::value_t::string:
            return is_valid_utf8(value.get_ref<const std::string&>());
        case Json::value_t::binary:
        case Json::value_t::discarded:
            return false;
        case Json::value_t::object:
            for (const auto& [name, member] : value.items()) {
                if (!is_valid_utf8(name) || !is_exact_in_text(member)) return false;
            }
            return true;
        case Json::value_t::array:
            for (const Json& element : value) {
                if (!is_exact_in_text(element)) return false;
            }
            return true;
        default:
            return true;
    }
}

inline void put_values(Json& document, const Json& values) {
    if (is_exact_in_text(values)) {
        document["values"] = values;
    } else {
        const std::vector<std::uint8_t> cbor = Json::to_cbor(values);
        document["values_cbor"] = base64_encode({reinterpret_cast<const char*>(cbor.data()), cbor.size()});
    }
}

inline Json take_values(const Json& document) {
    if (const auto cbor = document.find("values_cbor"); cbor != document.end()) {
        const auto bytes =
            cbor->is_string() ? base64_decode(cbor->get_ref<const std::string&>()) : std::nullopt;
        if (!bytes) refuse_document("values_cbor", "is not valid base64");
        Json values = Json::from_cbor(*bytes, true, false);
        if (!values.is_object()) refuse_document("values_cbor", "must hold an object in CBOR");
        return values;
    }
    const Json& values = member_of(document, "values");
    if (!values.is_object()) refuse_document("values", "must be an object");
    return values;
}

inline std::string text_member(const Json& document, const char* name) {
    return bytes_from_json(member_of(document, name), name);
}

inline bool flag_member(const Json& document, const char* name) {
    const Json& value = member_of(document, name);
    if (!value.is_boolean()) refuse_document(name, "must be true or false");
    return value.get<bool>();
}

inline void check_document(const Json& document) {
    if (!document.is_object()) throw JsonError("worker document: must be an object");
    const Json& version = member_of(document, "version");
    if (version != WorkerContext::version) {
        refuse_document("version", "must be " + std::to_string(WorkerContext::version));
    }
}

template <class Document>
std::string document_text(const Document& value) {
    Json document;
    to_json(document, value);
    return document.dump();
}

}  // namespace detail

inline void to_json(Json& document, const WorkerResponse& response) {
    document = Json::object();
    document["version"] = WorkerContext::version;
    document["status"] = response.status;
    document["content_type"] = detail::bytes_to_json(response.content_type);
    document["headers"] = detail::pairs_to_json(response.headers);
    document["body"] = detail::bytes_to_json(response.body);
    detail::put_values(document, response.values);
    document["close"] = response.close;
    document["aborted"] = response.aborted;
}

inline void from_json(const Json& document, WorkerResponse& response) {
    detail::check_document(document);
    const Json& status = detail::member_of(document, "status");
    if (!status.is_number_integer() || status < 200 || status > 599) {
        detail::refuse_document("status", "must be a number from 200 to 599");
    }
    response.status = status.get<int>();
    response.content_type = detail::text_member(document, "content_type");
    response.headers = detail::pairs_from_json(detail::member_of(document, "headers"), "headers");
    response.body = detail::text_member(document, "body");
    response.values = detail::take_values(document);
    response.close = detail::flag_member(document, "close");
    response.aborted = detail::flag_member(document, "aborted");
}

inline void to_json(Json& document, const WorkerContext& request) {
    document = Json::object();
    document["version"] = WorkerContext::version;
    document["route"] = detail::bytes_to_json(request.route);
    document["method"] = detail::bytes_to_json(request.method);
    document["target"] = detail::bytes_to_json(request.target);
    document["path"] = detail::bytes_to_json(request.path);
    document["params"] = detail::pairs_to_json(request.params);
    document["query"] = detail::bytes_to_json(request.query);
    document["headers"] = detail::pairs_to_json(request.headers);
    document["body"] = detail::bytes_to_json(request.body);
    detail::put_values(document, request.values);
    document["remote_address"] = detail::bytes_to_json(request.remote_address);
    if (request.response != WorkerResponse{}) to_json(document["response"], request.response);
}

inline void from_json(const Json& document, WorkerContext& request) {
    detail::check_document(document);
    request.route = detail::text_member(document, "route");
    request.method = detail::text_member(document, "method");
    request.target = detail::text_member(document, "target");
    request.path = detail::text_member(document, "path");
    request.params = detail::pairs_from_json(detail::member_of(document, "params"), "params");
    request.query = detail::text_member(document, "query");
    request.headers = detail::pairs_from_json(detail::member_of(document, "headers"), "headers");
    request.body = detail::text_member(document, "body");
    request.values = detail::take_values(document);
    request.remote_address = detail::text_member(document, "remote_address");
    const auto response = document.find("response");
    if (response == document.end()) {
        request.response = {};
    } else {
        from_json(*response, request.response);
    }
}

inline std::string to_text(const WorkerContext& request) { return detail::document_text(request); }
inline std::string to_text(const WorkerResponse& response) { return detail::document_text(response); }

template <class Document>
Document from_text(std::string_view text, WorkerLimits limits) {
    if (text.size() > limits.bytes) {
        throw JsonError("worker document: larger than " + std::to_string(limits.bytes) + " bytes");
    }
    Document result;
    from_json(parse_json(text, limits.depth), result);
    return result;
}

}  // namespace v0
}  // namespace sake
