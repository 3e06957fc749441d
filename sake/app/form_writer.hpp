// A Form as the body of a request: urlencoded, or multipart if it has files. Templates, so that only programs
// that send one compile them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/app/form.hpp"
#include "sake/base/text.hpp"
#include "sake/http/uri_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What stands for itself in a urlencoded form (WHATWG URL, "application/x-www-form-urlencoded
/// percent-encode set").
inline void append_form_encoded(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (c == ' ') {
            out += '+';
        } else if (c != '~' && (ascii::is(c, ascii::unreserved) || c == '*')) {
            out += c;
        } else {
            append_escape(out, c);
        }
    }
}

template <class F>
std::string urlencoded(const F& form) {
    std::string out;
    for (const auto& [name, value] : form.fields()) {
        if (!out.empty()) out += '&';
        append_form_encoded(out, name);
        append_form_encoded(out += '=', value);
    }
    return out;
}

/// A name as browsers write it between quotes.
inline void append_part_name(std::string& out, std::string_view name) {
    for (const char c : name) {
        if (c == '"' || c == '\r' || c == '\n') {
            append_escape(out, c);
        } else {
            out += c;
        }
    }
}

template <class F>
std::string multipart(const F& form, std::string_view boundary) {
    std::string out;
    const auto begin = [&](std::string_view name) {
        out.append("--").append(boundary).append("\r\nContent-Disposition: form-data; name=\"");
        append_part_name(out, name);
        out += '"';
    };
    for (const auto& [name, value] : form.fields()) {
        begin(name);
        out.append("\r\n\r\n").append(value).append("\r\n");
    }
    for (const Upload& file : form.files()) {
        begin(file.field());
        append_part_name(out.append("; filename=\""), file.filename());
        out.append("\"\r\n");
        if (!file.content_type().empty()) {
            out.append("Content-Type: ").append(file.content_type()).append("\r\n");
        }
        out.append("\r\n").append(file.bytes()).append("\r\n");
    }
    return out.append("--").append(boundary).append("--\r\n");
}

/// A boundary that nothing in the form has.
template <class F>
std::string boundary_for(const F& form) {
    for (std::size_t number = 0;; ++number) {
        std::string boundary = "----sake-form-" + std::to_string(number);
        const auto has = [&](std::string_view text) { return text.find(boundary) != std::string_view::npos; };
        bool is_taken = false;
        for (const auto& [name, value] : form.fields()) is_taken = is_taken || has(name) || has(value);
        for (const Upload& file : form.files())
            is_taken = is_taken || has(file.filename()) || has(file.bytes());
        if (!is_taken) return boundary;
    }
}

struct SentForm {
    std::string content_type;
    std::string text;
};

template <class F>
SentForm body_of(const F& form) {
    if (form.files().empty()) return {"application/x-www-form-urlencoded", urlencoded(form)};
    const std::string boundary = boundary_for(form);
    return {"multipart/form-data; boundary=" + boundary, multipart(form, boundary)};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
