// A form: the same fields, files and refusals however its body is split, names that are safe, and a form that
// is written and read again is the same. The first byte chooses between multipart/form-data, with the
// boundary "b", and a urlencoded body.
#pragma once

#include <optional>
#include <string>

#include "fuzz.hpp"

namespace fuzz {

inline std::string described(const sake::Form& form) {
    std::string text;
    const auto add = [&](std::string_view piece) {
        text.append(std::to_string(piece.size())).append(":").append(piece);
    };
    for (const auto& [name, value] : form.fields()) add(name), add(value);
    for (const sake::Upload& file : form.files()) {
        text += '@';
        add(file.field()), add(file.filename()), add(file.content_type()), add(file.bytes());
    }
    return text;
}

/// What a body comes to: a form, or a refusal.
template <class Read>
std::string outcome(std::string_view type, std::size_t size, Read read) {
    sake::detail::CallLimits limits;
    // A streamed form has a limit for all fields together, which is not to matter here.
    limits.form = {.parts = 6, .files = 3, .field = size <= 16 * 24 ? std::size_t{24} : size};
    limits.form_pairs = 6;
    limits.form_memory = 1 << 30;
    try {
        sake::detail::FormReader<> reader(type, limits);
        return described(read(reader));
    } catch (const sake::HttpError& error) {
        require(error.status() == 400 || error.status() == 413, "a refusal is 400 or 413");
        require(!error.detail().empty(), "it has a reason");
        return std::to_string(error.status()) + error.detail();
    }
}

inline std::string read_in_pieces(std::string_view type, std::string_view body, std::size_t piece) {
    return outcome(type, body.size(), [=](sake::detail::FormReader<>& reader) mutable {
        for (std::size_t at = 0; at < body.size(); at += piece) {
            std::string_view part = body.substr(at, piece);
            require(!reader.take(part) && part.empty(), "all is taken");
        }
        return reader.finish();
    });
}

inline void multipart(std::string_view input) {
    const bool is_multipart = !input.empty() && input[0] != 'u';
    const std::string_view type =
        is_multipart ? "multipart/form-data; boundary=b" : "application/x-www-form-urlencoded";
    const std::string_view body = input.substr(input.empty() ? 0 : 1);
    sake::Form form;
    const std::string whole = outcome(
        type, body.size(), [&](sake::detail::FormReader<>& reader) { return form = reader.parse(body); });
    require(whole == read_in_pieces(type, body, 1), "the outcome is that of the bytes one by one");
    require(whole == read_in_pieces(type, body, 7), "the outcome is that of pieces");
    require(whole == read_in_pieces(type, body, body.size() + 1), "the outcome is that of one piece");

    for (const sake::Upload& file : form.files()) {
        const std::string name = file.safe_name();
        require(!name.empty() && name.size() <= 200 && sake::is_valid_utf8(name), "a safe name is a name");
        require(name.find_first_of("/\\") == std::string::npos && name[0] != '.',
                "of one segment, not hidden");
    }
    const auto sent = sake::detail::body_of(form);
    sake::detail::CallLimits limits;
    sake::detail::FormReader<> again(sent.content_type, limits);
    bool has_escape = false;  // which a browser does not escape in its turn
    for (const auto& field : form.fields())
        has_escape = has_escape || field.name.find_first_of("%\\") != std::string::npos;
    for (const auto& file : form.files()) {
        has_escape = has_escape || std::string(file.field()).append(file.filename()).find_first_of("%\\") !=
                                       std::string::npos;
    }
    if (!has_escape || form.files().empty()) {
        require(described(again.parse(sent.text)) == described(form), "a form that is written is read again");
    }
}

}  // namespace fuzz
