// How compress decides which answers are compressed, and by what.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answerer.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/file_answer.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/response.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/text.hpp"
#include "sake/http/conditional.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/message.hpp"
#include "sake/http/negotiate.hpp"
#include "sake/middleware/compress.hpp"
#include "sake/middleware/compressible.hpp"
#include "sake/middleware/compressor.hpp"
#include "sake/middleware/compressors.hpp"
#include "sake/middleware/fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Compress final : public StepWork {
  public:
    static constexpr StepRule rules[] = {{"etag", "tags would be those of compressed bodies"},
                                         {nullptr, nullptr}};
    static constexpr StepInfo info{"compress", rules};

    explicit Compress(const middleware::CompressOptions& options) : options_(options) {
        require_library();
        require_level("gzip_level", options.gzip_level, 9);
        require_level("zstd_level", options.zstd_level, 12);
        require_level("br_level", options.br_level, 9);
        if (options.max_body > std::size_t{1024} * 1024 * 1024) {
            throw std::invalid_argument("compress: max_body is more than a gigabyte");
        }
        if (options.stream_window < 1024 || options.stream_window > std::size_t{32} * 1024) {
            throw std::invalid_argument("compress: stream_window is 1 KiB to 32 KiB");
        }
        window_bits_ = static_cast<int>(std::bit_width(options.stream_window - 1));
        for (const ContentCoding coding : whole_order) {
            if (offers(coding)) return;
        }
        throw std::invalid_argument(
            "compress: the levels turn off every coding whose library is linked: set one above 0");
    }

    void run(Context& ctx) override {
        ctx.after([this](Context& answered) { look_at(Call::of(answered)); });
    }

  private:
    // The best first, where a client wants several as much. zstd is as small as gzip in a third of the time,
    // and Brotli in less memory than it takes for a stream there is none.
    static constexpr ContentCoding whole_order[] = {ContentCoding::zstd, ContentCoding::br,
                                                    ContentCoding::gzip};
    static constexpr ContentCoding stream_order[] = {ContentCoding::gzip, ContentCoding::zstd,
                                                     ContentCoding::br};

    enum class Fit : std::uint8_t {
        decided,  // the handler has decided how it is coded, or it is a part
        fixed,    // it must not or cannot be changed
        poor,     // it is not worth it
        good
    };

    static void require_library() {
        for (const ContentCoding coding : whole_order) {
            if (has_compressor(coding)) return;
        }
        throw std::logic_error(
            "compress: no compression library is linked. For the whole program, define SAKE_WITH_ZLIB and "
            "link with -lz, or SAKE_WITH_BROTLI and -lbrotlienc, or SAKE_WITH_ZSTD and -lzstd");
    }
    static void require_level(const char* name, int level, int most) {
        if (level >= 0 && level <= most) return;
        throw std::invalid_argument("compress: " + std::string(name) + " is " + std::to_string(level) +
                                    "; write 1 to " + std::to_string(most) +
                                    ", or 0 to leave the coding out");
    }

    void look_at(Call& call) const {
        Response& response = call.response;
        if (response.status == 304) return fit_not_modified(call);
        const bool is_stream = call.running == Running::before_stream;
        const bool is_file = response.file() != nullptr;
        if (!has_body(response.status) || (!is_stream && !is_file && response.body.empty())) return;
        const Fit fit = fit_of(call, is_stream);
        if (fit == Fit::decided) return;
        if (fit == Fit::good) add_vary(call.context, "Accept-Encoding");
        const AcceptedCodings accepted(list_field(call.request, "Accept-Encoding"));
        const ContentCoding coding = best_of(accepted, is_stream ? stream_order : whole_order);
        const bool may_stay = accepted.accepts(ContentCoding::identity);
        if (!may_stay && (fit == Fit::fixed || coding == ContentCoding::identity)) return refuse(call);
        if (fit == Fit::fixed || coding == ContentCoding::identity) return;
        if (may_stay && (fit == Fit::poor || is_spied_on(call))) return;
        const bool is_done =
            is_stream ? compress_stream(call, coding, may_stay) : compress_body(response, coding, may_stay);
        if (is_done) note_change(call, is_stream);
    }

    // --- Which answers ---

    [[nodiscard]] Fit fit_of(Call& call, bool is_stream) const {
        const Response& response = call.response;
        if (response.status == 206) return Fit::decided;
        bool is_fixed = false;
        for (const auto& [name, value] : response.headers) {
            if (iequals(name, "Content-Encoding") || iequals(name, "Content-Range")) return Fit::decided;
            // A file or the like: its ranges are of the bytes as they are.
            is_fixed = is_fixed || iequals(name, "Accept-Ranges");
            is_fixed = is_fixed || iequals(name, "Content-Digest") || iequals(name, "Repr-Digest") ||
                       iequals(name, "Digest") || iequals(name, "Content-MD5");
            is_fixed = is_fixed || (iequals(name, "Cache-Control") && list_contains(value, "no-transform"));
        }
        if (is_stream) {
            is_fixed = is_fixed || !options_.streams;
        } else {
            is_fixed = is_fixed || response.file() != nullptr || response.body.size() > options_.max_body;
        }
        if (is_fixed) return Fit::fixed;
        if (!is_stream && response.body.size() < options_.min_body) return Fit::poor;
        return is_worth_compressing(call.context.response().content_type()) ? Fit::good : Fit::poor;
    }

    /// Whether a page of another site has made the request, with what the browser keeps of the user: then it
    /// may see how long the answer is, and choose a part of the text in it.
    [[nodiscard]] bool is_spied_on(const Call& call) const noexcept {
        if (options_.cross_site) return false;
        const Context& ctx = call.context;
        const std::string_view site = ctx.header("Sec-Fetch-Site");
        if (site != "cross-site" && site != "same-site") return false;
        return ctx.find_header("Cookie").has_value() || ctx.find_header("Authorization").has_value();
    }

    /// Of an answer that says only that the client has the body, it is not known whether it was compressed.
    /// Its tag is weak if the client's is.
    static void fit_not_modified(Call& call) {
        http::Headers& headers = call.response.headers;
        if (list_contains(headers.get("Cache-Control").value_or(""), "no-transform")) return;
        add_vary(call.context, "Accept-Encoding");
        const std::string tag(headers.get("ETag").value_or(""));
        const auto known = list_field(call.request, "If-None-Match");
        const auto own = EntityTag::parse(tag);
        if (!known || !own || own->is_weak) return;
        bool is_weak = false;
        for_each_tag(*known, [&](const EntityTag& each) {
            is_weak = is_weak || (each.is_weak && each.matches_weakly(*own));
        });
        if (is_weak) headers.set("ETag", "W/" + tag);
    }

    /// What was done for another request than GET or HEAD stays done, and so does its answer.
    static void refuse(Call& call) {
        if (!may_be_refused(call)) return;
        add_vary(call.context, "Accept-Encoding");
        throw HttpError(406, "this answer has no coding that the client accepts by Accept-Encoding");
    }
    static bool may_be_refused(const Call& call) noexcept {
        const Method method = call.request.known_method;
        const bool is_read = method == Method::get || method == Method::head;
        return is_read && call.response.status >= 200 && call.response.status <= 299;
    }

    // --- By what ---

    [[nodiscard]] int level_of(ContentCoding coding) const noexcept {
        switch (coding) {
            case ContentCoding::gzip:
                return options_.gzip_level;
            case ContentCoding::zstd:
                return options_.zstd_level;
            case ContentCoding::br:
                return options_.br_level;
            default:
                return 0;
        }
    }
    [[nodiscard]] bool offers(ContentCoding coding) const noexcept {
        return has_compressor(coding) && level_of(coding) > 0;
    }

    template <class Order>
    [[nodiscard]] ContentCoding best_of(const AcceptedCodings& accepted, const Order& order) const noexcept {
        ContentCoding best = ContentCoding::identity;
        int quality = 0;
        for (const ContentCoding coding : order) {
            if (!offers(coding) || accepted.quality(coding) <= quality) continue;
            best = coding;
            quality = accepted.quality(coding);
        }
        return accepted.quality(ContentCoding::identity) > quality ? ContentCoding::identity : best;
    }

    /// Returns whether it is compressed.
    [[nodiscard]] bool compress_body(Response& response, ContentCoding coding, bool may_stay) const {
        constexpr std::size_t large = 128 * 1024;
        const CompressorKind kind{coding, response.body.size() > large ? 1 : level_of(coding)};
        if (!Reactor::current()->local<Compressors>().compress(kind, response.body, !may_stay)) return false;
        response.headers.set("Content-Encoding", to_string(coding));
        return true;
    }

    [[nodiscard]] bool compress_stream(Call& call, ContentCoding coding, bool may_stay) const {
        if (call.answerer->encoder) return false;
        const CompressorKind kind{coding, level_of(coding), window_bits_};
        const Budget* const memory = call.place.memory;
        const bool has_room = memory == nullptr || memory->has_room_to_spare(expected_memory(kind));
        if (!has_room) {
            if (may_stay || !may_be_refused(call)) return false;
            throw HttpError(
                503,
                "there is no memory to compress this answer, and the client accepts only compressed ones")
                .header("Retry-After", "10");
        }
        call.answerer->encoder = make_compressor(kind);
        return true;
    }

    static void note_change(Call& call, bool is_stream) {
        http::Headers& headers = call.response.headers;
        if (!is_stream) add_vary(call.context, "Accept-Encoding");
        const std::string tag(headers.get("ETag").value_or(""));
        if (!tag.empty() && tag.substr(0, 2) != "W/") headers.set("ETag", "W/" + tag);
    }

    const middleware::CompressOptions options_;
    int window_bits_ = 0;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step compress(CompressOptions options) {
    return detail::StepMaker::make<detail::Compress>(options);
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
