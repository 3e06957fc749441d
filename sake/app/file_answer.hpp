// An answer whose body is a file: conditions, ranges, and the fields that say what it is. Context::file and
// Context::attachment are here. What makes it is reached only from templates: see task.hpp.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/errors.hpp"
#include "sake/app/file_body.hpp"
#include "sake/app/file_tree.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/request_fields.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/error.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/conditional.hpp"
#include "sake/http/date.hpp"
#include "sake/http/disposition.hpp"
#include "sake/http/mime.hpp"
#include "sake/http/range.hpp"
#include "sake/io/directory.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline Conditions conditions_of(Request& request) {
    Conditions conditions;
    conditions.if_match = list_field(request, "If-Match");
    conditions.if_none_match = list_field(request, "If-None-Match");
    conditions.if_modified_since = single_field(request, "If-Modified-Since");
    conditions.if_unmodified_since = single_field(request, "If-Unmodified-Since");
    conditions.if_range = list_field(request, "If-Range");  // twice, it is neither a tag nor a date
    return conditions;
}

/// The field Range, where it counts.
inline std::optional<std::string_view> range_of(const Request& request) {
    if (request.known_method != Method::get) return std::nullopt;
    return single_field(request, "Range");
}

/// Media type by the extension of a name; a name without one has none.
inline std::string_view type_of_file(std::string_view path) noexcept {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return http::mime_type(name.find('.') == std::string_view::npos ? std::string_view() : name);
}

[[noreturn]] inline void throw_nothing_here() { throw HttpError(404, "there is nothing at this path"); }

/// Makes it a 304: the client has the body.
inline void say_not_modified(Response& response) {
    response.status = 304;
    response.headers.remove("Content-Type");
    response.headers.remove("Content-Encoding");
    response.headers.remove("Content-Disposition");
    response.body.clear();
    response.set_static_type({});
}

/// Makes one answer.
class FileAnswer {
  public:
    /// The type is what the answer says unless Content-Type is set already.
    FileAnswer(Call& call, FoundFile file, std::string_view type)
        : call_(call),
          response_(call.response),
          file_(std::move(file)),
          type_(response_.headers.get("Content-Type").value_or(type)) {
        if (file_.modified) modified_ = std::min<std::int64_t>(*file_.modified, now_);
    }

    /// What a client may compare. The clock is that of the system, as the file's is.
    [[nodiscard]] Validators validators(std::string_view tag) const noexcept {
        return {tag, modified_, now_};
    }

    /// The answer to GET and HEAD by all that the request says. Throws HttpError 412 and 416. Any other
    /// method, and any other status than 200, is sent the whole file.
    void make() {
        const Method method = call_.request.known_method;
        if (response_.status != 200 || (method != Method::get && method != Method::head)) return send_whole();
        if (!response_.headers.contains("ETag")) response_.headers.set("ETag", "\"" + file_.tag + "\"");
        const std::string tag(response_.headers.get("ETag").value());
        const Conditions conditions = conditions_of(call_.request);
        const Validators present = validators(tag);
        const Conditions::Verdict verdict = conditions.verdict(method, present);
        if (verdict == Conditions::Verdict::failed) {
            throw HttpError(
                412, "the file does not meet the request's condition (If-Match or If-Unmodified-Since)");
        }
        if (verdict == Conditions::Verdict::not_modified) return say_not_modified(response_);
        if (modified_) {
            char date[29];
            http::format_http_date(*modified_, date);
            response_.headers.set("Last-Modified", {date, sizeof date});
        }
        response_.headers.set("Accept-Ranges", "bytes");
        const auto field = range_of(call_.request);
        if (!field || !conditions.allows_range(present)) return send_whole();
        const RangeRequest asked = RangeRequest::parse(*field, file_.size);
        if (asked.kind() == RangeRequest::Kind::whole) return send_whole();
        if (asked.kind() == RangeRequest::Kind::none) {
            throw HttpError(416, "the file has no bytes in this range")
                .header("Content-Range", unsatisfied_range(file_.size));
        }
        send_ranges(asked);
    }

  private:
    // As much as the server copies behind a head.
    static constexpr std::uint64_t worth_reading = 16 * 1024;
    static constexpr std::uint64_t worth_reading_ahead = 256 * 1024;

    void send_whole() { send_one(0, file_.size); }

    void send_ranges(const RangeRequest& asked) {
        response_.status = 206;
        if (asked.ranges().size() == 1) {
            const ByteRange& range = asked.ranges()[0];
            response_.headers.set("Content-Range", content_range(range, file_.size));
            return send_one(range.first, range.size());
        }
        const std::string boundary = make_boundary();
        const MultipartRanges texts{boundary, type_, file_.size};
        OwningPtr<FileBody> body(new FileBody);
        body->type = texts.content_type();
        for (const ByteRange& range : asked.ranges()) {
            add_text(*body, texts.before(range, body->pieces.empty()));
            add_range(*body, range.first, range.size());
        }
        own_file(*body);
        add_text(*body, texts.end());
        response_.headers.remove("Content-Type");
        response_.set_file(std::move(body));
    }

    void send_one(std::uint64_t first, std::uint64_t size) {
        const bool is_head = call_.request.known_method == Method::head;
        // A page of another status, such as that of a 404, is a text as any other to middleware.
        const bool reads = !is_head || response_.status != 200;
        if (size <= worth_reading && reads) return send_read(first, cast_to<std::size_t>(size));
        OwningPtr<FileBody> body(new FileBody);
        body->type = type_;
        if (is_head) {
            body->length = size;
        } else {
            if (file_.descriptor && size >= worth_reading_ahead) {
                sys::read_in_order(file_.descriptor.get(), first);
            }
            add_range(*body, first, size);
            own_file(*body);
        }
        response_.set_file(std::move(body));
    }

    /// A small file leaves in one piece with its head.
    void send_read(std::uint64_t first, std::size_t size) {
        std::string& text = response_.body;
        if (file_.descriptor) {
            text.resize(size);
            for (std::size_t done = 0; done < size;) {
                const SysResult read =
                    sys::read_at(file_.descriptor.get(), text.data() + done, size - done, first + done);
                if (!read.ok()) throw_system_error(read.error, "a file could not be read");
                if (read.value == 0) throw std::runtime_error("a file became shorter while it was read");
                done += static_cast<std::size_t>(read.value);
            }
        } else {
            text.assign(file_.bytes.substr(cast_to<std::size_t>(first), size));
        }
        response_.set_type(type_);
    }

    static void add_text(FileBody& body, std::string text) {
        body.length += text.size();
        body.pieces.push_back({std::move(text), {}, {}});
    }
    void add_range(FileBody& body, std::uint64_t first, std::uint64_t size) const {
        BodyPiece piece;
        if (file_.descriptor) {
            piece.range.offset = first;
            piece.range.length = size;
            piece.range.borrowed = file_.descriptor.get();
        } else {
            piece.lasting = file_.bytes.substr(cast_to<std::size_t>(first), cast_to<std::size_t>(size));
        }
        body.pieces.push_back(std::move(piece));
        body.length += size;
    }
    /// The last range closes the file, when all are sent.
    void own_file(FileBody& body) noexcept { body.pieces.back().range.file = std::move(file_.descriptor); }

    /// Nobody can know it beforehand, so that no file holds it.
    static std::string make_boundary() {
        std::array<std::uint64_t, 2> random;
        const SysResult made = sys::random_bytes(random.data(), sizeof random);
        if (!made.ok()) throw_system_error(made.error, "getentropy");
        std::string boundary = "sake-";
        for (const std::uint64_t each : random) append_hex(boundary, each);
        return boundary;
    }

    Call& call_;
    Response& response_;
    FoundFile file_;
    std::string type_;
    std::int64_t now_ = std::int64_t{std::time(nullptr)};
    std::optional<std::int64_t> modified_;  // not in the future (RFC 9110 section 8.8.2.1)
};

/// The program has named a file that cannot be sent, which is more likely its mistake than the client's.
[[noreturn]] inline void throw_no_file(Call& call, const std::string& path) {
    call.place.errors->report(call, LogLevel::warning,
                              "'" + path + "' is not there, is not a regular file, or may not be read",
                              ": no file to send");
    throw_nothing_here();
}

/// Opens a file of the program's choice, and answers with it. Throws HttpError 404 if there is none.
inline void answer_with_path(Call& call, const std::string& path, std::string_view type) {
    demand_no_nul(path, "file: ");
    FoundFile found = found_file(opened_file(sys::open(path.c_str(), open_to_send)), path);
    if (!found.is_file()) throw_no_file(call, path);
    FileAnswer answer(call, std::move(found), type);
    answer.make();
}

/// On a worker, the path is the answer: the reactor opens the file, when the answer is back.
inline void name_file(Call& call, std::string path, std::string_view type) {
    demand_no_nul(path, "file: ");
    if (path.empty()) throw_nothing_here();
    OwningPtr<FileBody> named(new FileBody);
    named->path = std::move(path);
    named->type = type;
    call.response.set_file(std::move(named));
}

inline void open_named_file(Call& call) {
    const FileBody& named = *call.response.file();
    const std::string path = named.path;
    const std::string type = named.type;
    answer_with_path(call, path, type);
}

inline void send_path(Call& call, std::string path, std::string_view type) {
    if (call.place.in_worker_pool) return name_file(call, std::move(path), type);
    answer_with_path(call, path, type);
}

}  // namespace detail

template <class Unused>
Context& Context::send_file(std::string path) {
    static_cast<void>(call_->settable("ctx.file"));
    const std::string_view type = detail::type_of_file(path);
    detail::send_path(*call_, std::move(path), type);
    return *this;
}

template <class Unused>
Context& Context::send_attachment(std::string path, std::string_view download_name) {
    const std::string name(download_name.empty() ? std::string_view(path).substr(path.rfind('/') + 1)
                                                 : download_name);
    detail::Response& response = call_->settable("ctx.attachment");
    response.headers.set("Content-Disposition", detail::attachment_disposition(name));
    const std::string_view type = detail::type_of_file(name);
    detail::send_path(*call_, std::move(path), type);
    return *this;
}

#if defined(SAKE_IMPLEMENTATION)
template Context& Context::send_file<void>(std::string path);
template Context& Context::send_attachment<void>(std::string path, std::string_view download_name);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
