// Definitions of document.hpp: how documents are written and read.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/base/json.hpp"
#include "sake/base/json_reader.hpp"
#include "sake/base/json_tagged.hpp"
#include "sake/base/json_writer_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/worker/document.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE Json empty_object() { return Json(Json::value_t::object); }

// --- Writing ---

/// Text of which much would be escaped, at up to six characters a byte.
inline bool escapes_badly(std::string_view text) noexcept {
    constexpr std::size_t large = 4096;
    if (text.size() < large) return false;
    std::size_t allowed = text.size() / 16;
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); (at = ascii::find_control(at, end)) != end; ++at) {
        if (allowed-- == 0) return true;
    }
    return false;
}

/// Text as itself, other bytes as {"base64": "..."}.
inline void append_bytes(std::string& out, std::string_view bytes) {
    if (is_valid_utf8(bytes) && !escapes_badly(bytes)) return append_json_string(out, bytes);
    out.append(R"({"base64":")").append(base64_encode(bytes)).append(R"("})");
}

inline void append_member(std::string& out, std::string_view name, std::string_view bytes) {
    out.append(",\"").append(name).append("\":");
    append_bytes(out, bytes);
}

inline void append_if_any(std::string& out, std::string_view name, std::string_view bytes) {
    if (!bytes.empty()) append_member(out, name, bytes);
}

using TextPairs = std::vector<std::pair<std::string, std::string>>;

inline void append_member(std::string& out, std::string_view name, const TextPairs& pairs) {
    out.append(",\"").append(name).append("\":[");
    const char* separator = "[";
    for (const auto& [first, second] : pairs) {
        out.append(separator);
        append_bytes(out, first);
        out += ',';
        append_bytes(out, second);
        out += ']';
        separator = ",[";
    }
    out += ']';
}

template <class Value>
void append_values(std::string& out, const Value& values) {
    if (values.empty()) {
        out.append(R"(,"values":{})");
    } else if (is_exact_in_text(values)) {
        append_json(out.append(R"(,"values":)"), values);
    } else {
        append_json(out.append(R"(,"values_tagged":)"), tagged(values));
    }
}

inline void append_version(std::string& out) {
    out.append("{\"version\":").append(std::to_string(WorkerContext::version));
}

template <std::same_as<WorkerResponse> Document>
void append_document(std::string& out, const Document& response) {
    append_version(out);
    out.append(",\"status\":").append(std::to_string(response.status));
    append_member(out, "content_type", response.content_type);
    append_member(out, "headers", response.headers);
    append_member(out, "body", response.body);
    append_values(out, response.values);
    out.append(response.close ? ",\"close\":true" : ",\"close\":false");
    out.append(response.aborted ? ",\"aborted\":true" : ",\"aborted\":false");
    if (response.error) append_member(out, "error", *response.error);
    if (response.file) append_member(out, "file", *response.file);
    out += '}';
}

template <std::same_as<WorkerContext> Document>
void append_document(std::string& out, const Document& request) {
    append_version(out);
    append_member(out, "route", request.route);
    append_member(out, "method", request.method);
    append_member(out, "target", request.target);
    append_member(out, "path", request.path);
    append_member(out, "params", request.params);
    append_member(out, "query", request.query);
    append_member(out, "headers", request.headers);
    append_member(out, "body", request.body);
    append_values(out, request.values);
    append_member(out, "remote_address", request.remote_address);
    append_if_any(out, "client_ip", request.client_ip);
    append_if_any(out, "user", request.user);
    append_if_any(out, "request_id", request.request_id);
    append_if_any(out, "traceparent", request.traceparent);
    append_if_any(out, "tracestate", request.tracestate);
    append_if_any(out, "parent_id", request.parent_id);
    if (request.response != WorkerResponse{}) {
        out.append(R"(,"response":)");
        append_document(out, request.response);
    }
    out += '}';
}

// --- Reading: templates, so that only programs that read documents compile nlohmann's parser ---

/// Reads one document, member by member, and tells which ones are missing.
class DocumentReader {
  public:
    explicit DocumentReader(JsonReader& json) noexcept : json_(json) {}

    using Names = std::initializer_list<std::string_view>;

    /// Calls `member(name)`, which reads the value and returns true, or false for a name that it does not
    /// know. Each of both lists may be there once.
    template <class F>
    void members(Names required, Names optional, F member) {
        std::uint32_t seen = 0;  // a bit for each that is required, then for the others
        json_.object([&](std::string_view name) {
            name_ = name;
            const bool is_version = name == "version";
            if (is_version && json_.integer() != WorkerContext::version) {
                refuse("is not " + std::to_string(WorkerContext::version));
            }
            if (!is_version && !member(name)) json_.raw();
            if (name == "values_tagged") name = "values";
            std::size_t place = place_of(name, required);
            if (place == required.size()) place += place_of(name, optional);
            if (place == required.size() + optional.size()) return;
            const std::uint32_t bit = 1U << place;
            if ((seen & bit) != 0) refuse("is there twice");
            seen |= bit;
        });
        for (const std::string_view name : required) {
            if ((seen & 1U) == 0) {
                name_ = name;
                refuse("is missing");
            }
            seen >>= 1U;
        }
    }

    void take(std::string& out) {
        if (json_.peek() == '"') return json_.string(out);
        std::optional<std::string> bytes;
        json_.object([&](std::string_view name) {
            if (name != "base64" || bytes) refuse("must be a string or {\"base64\": string}");
            bytes = base64_decode(json_.string());
            if (!bytes) refuse("is not valid base64");
        });
        if (!bytes) refuse("must be a string or {\"base64\": string}");
        out = std::move(*bytes);
    }

    void take(TextPairs& out) {
        out.clear();
        out.reserve(16);
        json_.array([&] {
            auto& pair = out.emplace_back();
            int count = 0;
            json_.array([&] {
                if (++count > 2) refuse("must be a list of [name, value]");
                take(count == 1 ? pair.first : pair.second);
            });
            if (count != 2) refuse("must be a list of [name, value]");
        });
    }

    void take(bool& out) { out = json_.boolean(); }

    void take_status(int& out) {
        const std::int64_t status = json_.integer();
        if (status < 200 || status > 599) refuse("must be from 200 to 599");
        out = static_cast<int>(status);
    }

    void take(std::optional<std::string>& out) { take(out.emplace()); }

    // The reader has checked the limits on the way.
    template <class Value>
    void take_values(Value& out) {
        const std::string_view text = json_.raw();
        out = text == "{}" ? Value::object() : parse_json<Value>(text, no_limit, no_limit);
        if (!out.is_object()) refuse("must be an object");
    }

    template <class Value>
    void take_values_tagged(Value& out) {
        try {
            JsonOwner<Value> tags;
            tags.value = parse_json<Value>(json_.raw(), no_limit, no_limit);
            out = untagged(tags.value);
        } catch (const JsonError& error) {
            refuse(error.what());
        } catch (const typename Value::exception&) {
            refuse("has a tag without its content");
        }
        if (!out.is_object()) refuse("must be an object");
    }

    [[noreturn]] void refuse(std::string_view why) const {
        throw JsonError("worker document: '" + std::string(name_) + "' " + std::string(why));
    }

  private:
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    static std::size_t place_of(std::string_view name, Names names) noexcept {
        return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    }

    JsonReader& json_;
    std::string_view name_;
};

template <std::same_as<WorkerResponse> Document>
void read_document(JsonReader& json, Document& response) {
    DocumentReader reader(json);
    reader.members({"version", "status", "content_type", "headers", "body", "values", "close", "aborted"},
                   {"error", "file"}, [&](std::string_view name) {
                       if (name == "status") return reader.take_status(response.status), true;
                       if (name == "content_type") return reader.take(response.content_type), true;
                       if (name == "headers") return reader.take(response.headers), true;
                       if (name == "body") return reader.take(response.body), true;
                       if (name == "values") return reader.take_values(response.values), true;
                       if (name == "values_tagged") return reader.take_values_tagged(response.values), true;
                       if (name == "close") return reader.take(response.close), true;
                       if (name == "aborted") return reader.take(response.aborted), true;
                       if (name == "error") return reader.take(response.error), true;
                       if (name == "file") return reader.take(response.file), true;
                       return false;
                   });
}

template <std::same_as<WorkerContext> Document>
void read_document(JsonReader& json, Document& request) {
    DocumentReader reader(json);
    reader.members({"version", "route", "method", "target", "path", "params", "query", "headers", "body",
                    "values", "remote_address"},
                   {"client_ip", "user", "request_id", "traceparent", "tracestate", "parent_id", "response"},
                   [&](std::string_view name) {
                       if (name == "route") return reader.take(request.route), true;
                       if (name == "method") return reader.take(request.method), true;
                       if (name == "target") return reader.take(request.target), true;
                       if (name == "path") return reader.take(request.path), true;
                       if (name == "params") return reader.take(request.params), true;
                       if (name == "query") return reader.take(request.query), true;
                       if (name == "headers") return reader.take(request.headers), true;
                       if (name == "body") return reader.take(request.body), true;
                       if (name == "values") return reader.take_values(request.values), true;
                       if (name == "values_tagged") return reader.take_values_tagged(request.values), true;
                       if (name == "remote_address") return reader.take(request.remote_address), true;
                       if (name == "client_ip") return reader.take(request.client_ip), true;
                       if (name == "user") return reader.take(request.user), true;
                       if (name == "request_id") return reader.take(request.request_id), true;
                       if (name == "traceparent") return reader.take(request.traceparent), true;
                       if (name == "tracestate") return reader.take(request.tracestate), true;
                       if (name == "parent_id") return reader.take(request.parent_id), true;
                       if (name == "response") return read_document(json, request.response), true;
                       return false;
                   });
}

template <class Document>
std::string document_text(const Document& document) {
    std::string out;
    out.reserve(document.body.size() + 1024);
    append_document(out, document);
    return out;
}

}  // namespace detail

template <detail::WorkerDocument Document>
std::string to_text(const Document& document) {
    return detail::document_text(document);
}

template <class Document>
Document from_text(std::string_view text, WorkerLimits limits) {
    if (text.size() > limits.bytes) {
        throw JsonError("worker document: larger than " + std::to_string(limits.bytes) + " bytes");
    }
    Document result;
    detail::JsonReader json(text, {limits.depth, limits.values});
    try {
        detail::read_document(json, result);
        json.end();
    } catch (...) {
        detail::dismantle(result.values);
        throw;
    }
    return result;
}

#if defined(SAKE_IMPLEMENTATION)
template std::string to_text(const WorkerContext&);
template std::string to_text(const WorkerResponse&);
template WorkerContext from_text(std::string_view, WorkerLimits);
template WorkerResponse from_text(std::string_view, WorkerLimits);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
