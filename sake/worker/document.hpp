// The documents in which a request goes to a worker and its response returns: plain data with a JSON schema
// for other programs, exact to the byte. docs/worker-context.md describes the schema.
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/base/json.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

/// Json::object(), which is long to compile where a default is written.
[[nodiscard]] Json empty_object();

}  // namespace detail

/// A response on its way back. Its fields are those that handlers have set.
struct WorkerResponse {
    int status = 200;
    std::string content_type = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    Json values = detail::empty_object();  // values of the request, as the handler left them
    bool close = false;                    // the handler wants the connection closed
    bool aborted = false;                  // the handler called ctx.abort()
    // The exception of a handler in another process, in words. With a status from 400 to 599 other than 500
    // it is the detail of an HttpError of that status. Otherwise it is for the log only, and the answer is a
    // 500.
    std::optional<std::string> error = {};
    // The path of a file that is the body. The process that answers the client opens it. See Context::file.
    std::optional<std::string> file = {};

    // A template, because comparing Json values is slow to compile.
    template <std::same_as<WorkerResponse> Other>
    bool operator==(const Other& other) const {
        return status == other.status && content_type == other.content_type && headers == other.headers &&
               body == other.body && values == other.values && close == other.close &&
               aborted == other.aborted && error == other.error && file == other.file;
    }
};

/// A request on its way to a worker. Texts may hold any bytes; text that is not UTF-8 travels as base64.
struct WorkerContext {
    static constexpr int version = 1;  // of the schema

    std::string route = {};  // the pattern: "/users/:id"
    std::string method = {};
    std::string target = {};                                        // as the client sent it
    std::string path = {};                                          // decoded
    std::vector<std::pair<std::string, std::string>> params = {};   // of the path, decoded, in pattern order
    std::string query = {};                                         // after the '?', as the client sent it
    std::vector<std::pair<std::string, std::string>> headers = {};  // in the order received, with duplicates
    std::string body = {};
    Json values = detail::empty_object();  // values that ctx.set has stored
    std::string remote_address = {};
    std::string client_ip = {};    // as trusted proxies report it; "" if they report nothing
    std::string user = {};         // the name in ctx.state<User>(); "" if no authentication has run
    std::string request_id = {};   // of request_id and trace_context, like the next three; "" without them
    std::string traceparent = {};  // its span is that of this request
    std::string tracestate = {};
    std::string parent_id = {};    // the span that sent this request
    WorkerResponse response = {};  // what middleware has set so far

    template <std::same_as<WorkerContext> Other>
    bool operator==(const Other& other) const {
        return route == other.route && method == other.method && target == other.target &&
               path == other.path && params == other.params && query == other.query &&
               headers == other.headers && body == other.body && values == other.values &&
               remote_address == other.remote_address && client_ip == other.client_ip && user == other.user &&
               request_id == other.request_id && traceparent == other.traceparent &&
               tracestate == other.tracestate && parent_id == other.parent_id && response == other.response;
    }
};

/// The limits for reading a document: bytes, depth of nesting, number of values.
struct WorkerLimits {
    std::size_t bytes = 256 * 1024 * 1024;
    std::size_t depth = 128;
    std::size_t values = 1'000'000;
};

namespace detail {

template <class T>
concept WorkerDocument = std::same_as<T, WorkerContext> || std::same_as<T, WorkerResponse>;

}  // namespace detail

/// The document as JSON text.
template <detail::WorkerDocument Document>
[[nodiscard]] std::string to_text(const Document& document);

/// Reads a document: `from_text<sake::WorkerContext>(text)`. Unknown members are skipped. Throws JsonError
/// that names the fault.
template <class Document>
[[nodiscard]] Document from_text(std::string_view text, WorkerLimits limits = {});

/// For nlohmann's conversions: `Json(request)` and `json.get<sake::WorkerContext>()`. Templates, so that only
/// programs that use them compile them.
template <class Value, detail::WorkerDocument Document>
void to_json(Value& json, const Document& document) {
    constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
    json = parse_json<Value>(to_text(document), no_limit, no_limit);
}
template <class Value, detail::WorkerDocument Document>
void from_json(const Value& json, Document& document) {
    document = from_text<Document>(json.dump());
}

}  // namespace SAKE_ABI
}  // namespace sake
