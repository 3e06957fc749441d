// Engine::static_files and Engine::frontend: from the path of a request to a file beneath a directory, and
// the form of it that the client accepts best. What the answer then says is in file_answer.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/embed.hpp"
#include "sake/app/file_answer.hpp"
#include "sake/app/file_tree.hpp"
#include "sake/app/group.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/listing.hpp"
#include "sake/app/static_options.hpp"
#include "sake/base/array.hpp"
#include "sake/base/maybe.hpp"
#include "sake/http/negotiate.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a name in a site is, by its ending: whether a build tool makes such files and puts hashes into their
/// names. Documents and data, which people name by hand, are not among them.
[[nodiscard]] constexpr bool is_built_extension(std::string_view extension) noexcept {
    constexpr std::string_view known[] = {"js",   "mjs", "cjs", "css",  "wasm", "woff2",
                                          "woff", "ttf", "otf", "eot",  "png",  "jpg",
                                          "jpeg", "gif", "svg", "webp", "avif", "ico"};
    return std::find(std::begin(known), std::end(known), extension) != std::end(known);
}

/// Of what the text consists, and in how many pieces: a run of digits, of capitals, or of small letters,
/// which one capital may begin. Words and dates have few, hashes have many.
struct HashPieces {
    bool has_digit = false;
    bool has_upper = false;
    bool has_lower = false;
    int count = 0;

    /// Nothing if anything else is in it.
    [[nodiscard]] static constexpr Maybe<HashPieces> of(std::string_view text) noexcept {
        HashPieces pieces;
        char before = 0;
        bool is_alone = false;  // the piece is one capital so far
        for (const char c : text) {
            const bool is_lower = c >= 'a' && c <= 'z';
            const bool is_upper = c >= 'A' && c <= 'Z';
            const bool is_digit = c >= '0' && c <= '9';
            if (!is_lower && !is_upper && !is_digit && c != '_' && c != '-') return {};
            const char kind = is_lower ? 'a' : is_upper ? 'A' : is_digit ? '0' : '-';
            const bool goes_on = kind == before || kind == '-' || (kind == 'a' && before == 'A' && is_alone);
            if (!goes_on) ++pieces.count;
            is_alone = kind == 'A' && !goes_on;
            before = kind;
            pieces.has_lower = pieces.has_lower || is_lower;
            pieces.has_upper = pieces.has_upper || is_upper;
            pieces.has_digit = pieces.has_digit || is_digit;
        }
        return pieces;
    }
};

/// "-BkX3f9aQ" of Vite (base64url), or "-A2B3C4D5" of esbuild (base32), at the end of a stem.
[[nodiscard]] constexpr bool ends_with_dash_hash(std::string_view stem) noexcept {
    constexpr std::size_t size = 8;
    if (stem.size() < size + 2 || stem[stem.size() - size - 1] != '-') return false;
    const std::string_view hash = stem.substr(stem.size() - size);
    const Maybe<HashPieces> pieces = HashPieces::of(hash);
    if (!pieces || !pieces->has_digit || !pieces->has_upper) return false;
    if (pieces->has_lower) return pieces->count >= 5;
    return hash.find_first_of("0189_-") == std::string_view::npos && pieces->count >= 4;
}

/// ".4f3a2b1c" of webpack and Parcel, 8 to 20 digits of hexadecimal, at the end of a stem.
[[nodiscard]] constexpr bool ends_with_dot_hash(std::string_view stem) noexcept {
    const std::size_t dot = stem.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return false;
    const std::string_view hash = stem.substr(dot + 1);
    if (hash.size() < 8 || hash.size() > 20) return false;
    if (hash.find_first_not_of("0123456789abcdef") != std::string_view::npos) return false;
    return HashPieces::of(hash)->count >= 3;
}

/// Whether a build tool has put a hash of the content into the name: "index-BkX3f9aQ.js",
/// "main.4f3a2b1c.css". A hash that looks like a word or a date is cached like any other file; a word that
/// was taken for a hash would be kept for a year.
[[nodiscard]] constexpr bool is_hashed_name(std::string_view path) noexcept {
    std::string_view name = path.substr(path.rfind('/') + 1);
    const auto drop_end = [&name](std::string_view end) {
        if (name.ends_with(end)) name.remove_suffix(end.size());
    };
    drop_end(".map");
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || !is_built_extension(name.substr(dot + 1))) return false;
    name = name.substr(0, dot);
    drop_end(".chunk");  // "787.4f3a2b1c.chunk.js"
    return ends_with_dash_hash(name) || ends_with_dot_hash(name);
}

/// Whether the file is below the directory, which is written with slashes around it or without; "" is none.
constexpr bool is_within(std::string_view path, std::string_view directory) noexcept {
    while (directory.starts_with('/')) directory.remove_prefix(1);
    while (directory.ends_with('/')) directory.remove_suffix(1);
    return !directory.empty() && path.starts_with(directory) &&
           path.substr(directory.size()).starts_with('/');
}

constexpr bool has_dot_name(std::string_view path) noexcept {
    return path.substr(0, 1) == "." || path.find("/.") != std::string_view::npos;
}
constexpr bool has_extension(std::string_view path) noexcept {
    return path.substr(path.rfind('/') + 1).find('.') != std::string_view::npos;
}

/// The path of a file as it stands in the path of a request, which is decoded as the router had it: so the
/// names between the slashes are those that decided which middleware the request has passed. nullopt for an
/// encoded slash, which the router does not take for a slash.
inline std::optional<std::string> file_path_of(std::string_view matched) {
    std::string path;
    path.reserve(matched.size());
    for (std::size_t i = 0; i < matched.size(); ++i) {
        path += matched[i];
        if (matched[i] != '%') continue;
        if (matched.substr(i, 3) != "%25") return std::nullopt;
        i += 2;
    }
    return path;
}

/// The handler of one site. A template, also for the sake of programs that serve no files, which compile
/// nothing of it.
template <class Tree>
class FileSite {
  public:
    /// The tree is made of `root`.
    template <class Root>
    FileSite(Root root, StaticOptions options, SiteKind kind)
        : tree_(std::move(root)), options_(std::move(options)), kind_(kind) {}

    static void serve(void* self, Call& call) { static_cast<const FileSite*>(self)->serve(call); }
    static void destroy(void* self) noexcept { delete static_cast<FileSite*>(self); }
    /// From a directory to the same with a slash, where the names in it are relative to it.
    static void add_slash(void*, Call& call) {
        std::string location(call.request.raw_path());
        location += '/';
        if (!call.request.raw_query().empty()) location.append("?").append(call.request.raw_query());
        call.context.redirect(location, 301);
    }

  private:
    void serve(Call& call) const {
        const Request& request = call.request;
        if (request.has_given_params) {
            throw std::logic_error("static files are sent by the reactor: their route cannot have worker()");
        }
        const Slice rest = request.params.values[request.params.count - 1];
        std::string path = file_path_of(rest.of(request.match_path().data())).value_or("//");
        const bool is_of_directory = path.empty() || (path.back() == '/' && path.size() > 1);
        if (is_of_directory && !path.empty()) path.pop_back();
        const bool may_be_there = is_plain_path(path) && (options_.dotfiles || !has_dot_name(path));
        FoundFile found;
        if (may_be_there) found = tree_.find(path);
        if (found.kind == FoundFile::Kind::directory) {
            FoundFile index = index_of(path);
            if (index.is_file() || options_.listing) {
                if (!is_of_directory) return add_slash(nullptr, call);
                if (!index.is_file()) return list(call, path);
                append_index(path);
            }
            found = std::move(index);
        } else if (is_of_directory) {
            found = {};
        }
        if (!found.is_file()) {
            if (kind_ == SiteKind::files) throw_nothing_here();
            // The same path is a page for a browser, and nothing for a program.
            call.response.headers.add("Vary", "Accept");
            if (!may_be_there || has_extension(path) || !wants_page(call)) throw_nothing_here();
            found = index_of("");
            if (!found.is_file()) throw_nothing_here();
            path = options_.index;
        }
        send(call, path, std::move(found));
    }

    void append_index(std::string& path) const {
        if (!path.empty()) path += '/';
        path += options_.index;
    }
    [[nodiscard]] FoundFile index_of(std::string path) const {
        if (options_.index.empty()) return {};
        append_index(path);
        return tree_.find(path);
    }

    static bool wants_page(Call& call) {
        return media_quality(list_field(call.request, "Accept"), "text/html", MediaRange::named) > 0;
    }

    void list(Call& call, const std::string& path) const {
        constexpr std::size_t most_names = 10'000;  // a directory with more is shown in part
        Array<ListedName> names;
        tree_.for_each_name(path, [&](std::string_view name, bool is_directory) {
            const bool is_hidden = name[0] == '.' && !options_.dotfiles;
            // What nobody can ask for is not shown either.
            if (!is_hidden && is_plain_path(name) && is_path_text(name))
                names.push_back({std::string(name), is_directory});
            return names.size() < most_names;
        });
        set_cache_control(call, options_.cache_control);
        call.response.headers.set("Content-Security-Policy", "default-src 'none'");
        call.context.html(listing_page(call.request.path(), std::move(names), !path.empty()));
    }

    static void set_cache_control(Call& call, std::string_view value) {
        http::Headers& headers = call.response.headers;
        if (!value.empty() && !headers.contains("Cache-Control")) headers.set("Cache-Control", value);
    }
    [[nodiscard]] std::string_view cache_control(std::string_view path,
                                                 std::string_view type) const noexcept {
        constexpr std::string_view for_a_year = "public, max-age=31536000, immutable";
        if (is_within(path, options_.immutable)) return for_a_year;
        if (kind_ == SiteKind::frontend) {
            if (type.substr(0, 9) == "text/html") return "no-cache";
            if (is_hashed_name(path)) return for_a_year;
        }
        return options_.cache_control;
    }

    void send(Call& call, const std::string& path, FoundFile found) const {
        const std::string_view type = type_of_file(path);
        set_cache_control(call, cache_control(path, type));
        if (options_.precompressed) {
            call.response.headers.add("Vary", "Accept-Encoding");
            if (!asks_for_range(call, found)) found = best_form(call, path, std::move(found));
        }
        FileAnswer answer(call, std::move(found), type);
        answer.make();
    }

    /// Ranges are of the file as it is, since a client puts them together by their place in it; unless
    /// If-Range says that it has a part of another form.
    static bool asks_for_range(Call& call, const FoundFile& found) {
        const auto field = range_of(call.request);
        if (!field || RangeRequest::parse(*field, found.size).kind() == RangeRequest::Kind::whole)
            return false;
        const AcceptedCodings accepted(list_field(call.request, "Accept-Encoding"));
        if (!accepted.accepts(ContentCoding::identity)) return false;
        const std::string tag = "\"" + found.tag + "\"";
        return conditions_of(call.request).allows_range({tag, found.modified, std::time(nullptr)});
    }

    /// The file or a sibling of it. Throws HttpError 406 if the client accepts none of them.
    [[nodiscard]] FoundFile best_form(Call& call, const std::string& path, FoundFile found) const {
        const AcceptedCodings accepted(list_field(call.request, "Accept-Encoding"));
        for (const ContentCoding coding : accepted.in_order()) {
            if (!accepted.accepts(coding)) break;
            if (coding == ContentCoding::identity) return found;
            FoundFile sibling = tree_.find(path + std::string(extension_of(coding)));
            if (!sibling.is_file() || sibling.is_older_than(found)) continue;
            call.response.headers.set("Content-Encoding", to_string(coding));
            sibling.tag.append("-").append(to_string(coding));
            return sibling;
        }
        throw HttpError(406, "this file has no coding that the client accepts by Accept-Encoding");
    }
    static constexpr std::string_view extension_of(ContentCoding coding) noexcept {
        constexpr std::string_view extensions[] = {"", ".gz", ".zst", ".br"};
        return extensions[static_cast<std::size_t>(coding)];
    }

    Tree tree_;
    StaticOptions options_;
    SiteKind kind_;
};

template <class Tree, class Root>
Route& add_site(RouteTable& table, Scope& scope, const PatternInfo& prefix, Root root, StaticOptions options,
                SiteKind kind) {
    using Site = FileSite<Tree>;
    std::string base(prefix.text);
    if (!base.empty() && base.back() == '/') base.pop_back();
    const std::string inside = base + "/*path";
    Handler handler(ServerHandler{new Site(std::move(root), std::move(options), kind), &Site::serve, nullptr,
                                  &Site::destroy});
    const PatternInfo pattern{inside, prefix.params + 1, prefix.file, prefix.line};
    RouteEntry& entry = table.add(scope, "GET", pattern, std::move(handler));
    entry.handler_reads_body = false;
    entry.is_hidden = true;
    if (!scope.prefix.empty() || !base.empty()) {
        static char nothing;
        table.add_yielding(scope, "GET", {base, prefix.params, prefix.file, prefix.line},
                           Handler(ServerHandler{&nothing, &Site::add_slash}));
    }
    return entry.route;
}

template <class Unused>
Route& add_directory(RouteTable& table, Scope& scope, const PatternInfo& prefix, std::string directory,
                     StaticOptions options, SiteKind kind) {
    try {
        return add_site<DirectoryTree>(table, scope, prefix, directory, std::move(options), kind);
    } catch (const std::system_error& error) {
        const char* const verb = kind == SiteKind::files ? "static_files: " : "frontend: ";
        throw std::system_error(error.code(), verb + directory);
    }
}

template <class Unused>
Route& add_embedded(RouteTable& table, Scope& scope, const PatternInfo& prefix, EmbeddedFiles files,
                    StaticOptions options, SiteKind kind) {
    return add_site<EmbeddedTree>(table, scope, prefix, std::move(files), std::move(options), kind);
}

#if defined(SAKE_IMPLEMENTATION)
template Route& add_directory<void>(RouteTable& table, Scope& scope, const PatternInfo& prefix,
                                    std::string directory, StaticOptions options, SiteKind kind);
template Route& add_embedded<void>(RouteTable& table, Scope& scope, const PatternInfo& prefix,
                                   EmbeddedFiles files, StaticOptions options, SiteKind kind);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
