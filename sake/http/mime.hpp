// Media types by file extension: the few that a web server meets. Text types say UTF-8.
// Not here: guessing from content, which a server should not do.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

struct MimeEntry {
    std::string_view extension;
    std::string_view type;
};

// In order of extension: it is searched by halves.
inline constexpr MimeEntry mime_table[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"br", "application/octet-stream"},
    {"bz2", "application/x-bzip2"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"eot", "application/vnd.ms-fontobject"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"geojson", "application/geo+json"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jar", "application/java-archive"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"m4a", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"rar", "application/vnd.rar"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "application/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

inline constexpr std::size_t mime_count = sizeof mime_table / sizeof mime_table[0];

constexpr bool mime_table_is_sorted() noexcept {
    for (std::size_t i = 1; i < mime_count; ++i) {
        if (!(mime_table[i - 1].extension < mime_table[i].extension)) return false;
    }
    return true;
}
static_assert(mime_table_is_sorted(), "mime_table must be in order, each extension once");

/// What follows the last '.' of the last path segment, or the whole segment when it has no '.'.
constexpr std::string_view file_extension(std::string_view name) noexcept {
    name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
    return name.substr(name.rfind('.') + 1);
}

}  // namespace detail

/// The media type for "index.html", "/a/b.html", ".html" or "html", in any case; "application/octet-stream"
/// for an unknown extension.
[[nodiscard]] constexpr std::string_view mime_type(std::string_view file_name_or_extension) noexcept {
    constexpr std::string_view unknown = "application/octet-stream";
    const std::string_view extension = detail::file_extension(file_name_or_extension);
    char lower[16] = {};
    if (extension.size() > sizeof lower) return unknown;
    for (std::size_t i = 0; i < extension.size(); ++i) lower[i] = to_lower(extension[i]);
    const std::string_view wanted(lower, extension.size());
    std::size_t low = 0;
    std::size_t high = detail::mime_count;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (detail::mime_table[middle].extension < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool found = low < detail::mime_count && detail::mime_table[low].extension == wanted;
    return found ? detail::mime_table[low].type : unknown;
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
