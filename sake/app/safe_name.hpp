// A file name that a client sent, made into one that a program may give to a file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::size_t longest_safe_name = 200;
inline constexpr std::size_t longest_safe_extension = 32;

/// Whether Windows takes it for a device, with any extension: "con", "NUL.txt", "com1".
inline bool is_device_name(std::string_view name) noexcept {
    std::string_view stem = name.substr(0, name.find('.'));
    while (stem.ends_with(' ')) stem.remove_suffix(1);
    for (const std::string_view device : {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}) {
        if (iequals(stem, device)) return true;
    }
    const std::string_view kind = stem.substr(0, 3);
    if (!iequals(kind, "com") && !iequals(kind, "lpt")) return false;
    const std::string_view number = stem.substr(kind.size());
    if (number.size() == 1) return ascii::is(number[0], ascii::digit);
    return number == "\xc2\xb9" || number == "\xc2\xb2" || number == "\xc2\xb3";  // superscript 1, 2, 3
}

/// Whether the sequence of UTF-8 at the front stands for a control character: C1, or one that turns the
/// direction of text or ends a line, so that a name looks like another one.
inline bool is_unicode_control(std::string_view sequence) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
    if (sequence.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
    if (sequence.size() != 3) return false;
    if (byte(0) == 0xef && byte(1) == 0xbb && byte(2) == 0xbf) return true;  // U+FEFF
    if (byte(0) != 0xe2) return false;
    const bool is_mark = byte(1) == 0x80 && (byte(2) == 0x8e || byte(2) == 0x8f);
    const bool is_line_or_embedding = byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae;
    const bool is_isolate = byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9;
    return is_mark || is_line_or_embedding || is_isolate;
}

/// Cuts a text of UTF-8 to so many bytes, between two characters.
inline void cut_utf8(std::string& text, std::size_t most) {
    if (text.size() <= most) return;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
    text.resize(most);
}

/// The last segment of the name, as valid UTF-8, without control characters and without what no file system
/// or shell should be given; never empty, never hidden, never a device, and at most 200 bytes long.
inline std::string make_safe_name(std::string_view sent) {
    const std::size_t separator = sent.find_last_of("/\\");
    if (separator != std::string_view::npos) sent.remove_prefix(separator + 1);
    const std::string text = replace_invalid_utf8(sent);
    std::string name;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8_sequence(text.data() + at, text.size() - at);
        const std::string_view sequence = std::string_view(text).substr(at, length);
        const char c = sequence[0];
        const bool is_bad = length == 1 ? !ascii::is(c, ascii::field) || ascii::contains_char("\t<>:\"|?*", c)
                                        : is_unicode_control(sequence);
        name.append(is_bad ? "_" : sequence);
        at += length;
    }
    const auto trim = [&] {
        name.erase(0, std::min(name.find_first_not_of(". "), name.size()));
        name.erase(name.find_last_not_of(". ") + 1);
    };
    trim();
    if (name.starts_with('-')) name[0] = '_';  // an option of a program
    if (is_device_name(name)) name.insert(0, "_");
    if (name.size() > longest_safe_name) {
        const std::size_t dot = name.rfind('.');
        const bool keeps = dot != std::string::npos && name.size() - dot <= longest_safe_extension;
        const std::string extension = keeps ? name.substr(dot) : std::string();
        cut_utf8(name, longest_safe_name - extension.size());
        trim();
        name += extension;
    }
    return name.empty() ? "file" : name;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
