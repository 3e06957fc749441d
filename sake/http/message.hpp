// Methods and status codes: the few words of HTTP that every other part shares.
// Not here: header fields (headers.hpp) and the bytes of a protocol version (the folder http1).
#pragma once

#include <cstdint>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The registered methods a server meets; any other token is `other` and known by its text alone.
enum class Method : std::uint8_t { get, head, post, put, patch, del, options, query, connect, trace, other };

/// The method with this name. Names are case-sensitive (RFC 9110 section 9.1): "get" is `other`.
[[nodiscard]] constexpr Method method_from(std::string_view name) noexcept {
    constexpr auto as_number = [](std::string_view text) {  // of at most seven letters
        std::uint64_t number = 1;
        for (const char c : text) number = number << 8 | static_cast<unsigned char>(c);
        return number;
    };
    if (name.size() > 7) return Method::other;
    switch (as_number(name)) {
        case as_number("GET"):
            return Method::get;
        case as_number("HEAD"):
            return Method::head;
        case as_number("POST"):
            return Method::post;
        case as_number("PUT"):
            return Method::put;
        case as_number("PATCH"):
            return Method::patch;
        case as_number("DELETE"):
            return Method::del;
        case as_number("OPTIONS"):
            return Method::options;
        case as_number("QUERY"):
            return Method::query;
        case as_number("CONNECT"):
            return Method::connect;
        case as_number("TRACE"):
            return Method::trace;
        default:
            return Method::other;
    }
}

/// The name on the wire; empty for `other`, whose name only the request knows.
[[nodiscard]] constexpr std::string_view to_string(Method method) noexcept {
    constexpr std::string_view names[] = {"GET",     "HEAD",  "POST",    "PUT",   "PATCH", "DELETE",
                                          "OPTIONS", "QUERY", "CONNECT", "TRACE", ""};
    return names[static_cast<std::uint8_t>(method)];
}

struct StatusPhrase {
    int status;
    std::string_view phrase;
};

// RFC 9110 section 15 and the IANA registry.
inline constexpr StatusPhrase status_phrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

}  // namespace detail
namespace http {

/// The standard phrase of a status code, or "Unknown".
[[nodiscard]] constexpr std::string_view reason_phrase(int status) noexcept {
    for (const auto& known : sake::detail::status_phrases) {
        if (known.status == status) return known.phrase;
    }
    return "Unknown";
}

}  // namespace http
namespace detail {

/// True for the interim answers 1xx.
[[nodiscard]] constexpr bool is_informational(int status) noexcept { return status >= 100 && status < 200; }

/// True when an answer with this status never carries a body: 1xx, 204, 304 (RFC 9112 section 6.3).
[[nodiscard]] constexpr bool has_no_body(int status) noexcept {
    return is_informational(status) || status == 204 || status == 304;
}

/// Whether an answer with this status has content; 205 says with a length of 0 that it has none (RFC 9110
/// section 15.3.6).
[[nodiscard]] constexpr bool has_body(int status) noexcept { return !has_no_body(status) && status != 205; }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
