// H1Reader: fills a Call with a request, from the bytes of the input to its route and its body. It decides
// what is refused and with which status; sending, waiting and running handlers are the connection's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/body_bytes_impl.hpp"
#include "sake/app/call_builder.hpp"
#include "sake/app/config.hpp"
#include "sake/app/route_table.hpp"
#include "sake/base/cast.hpp"
#include "sake/http1/body_reader.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/request_parser.hpp"
#include "sake/server/input.hpp"
#include "sake/server/rate_limit.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Recycled with its call: `clear` makes both ready for the next request and keeps their memory.
class H1Reader {
  public:
    enum class Progress : std::uint8_t { need_more, complete, refused };

    H1Reader(const Config& config, const RouteTable& routes, Call& call)
        : config_(config),
          routes_(routes),
          call_(call),
          parser_(http1::HeadLimits{config.max_request_line, config.max_header_block,
                                    static_cast<std::size_t>(config.max_header_count)}),
          body_(http1::ChunkedLimits{config.max_chunk_extensions, config.max_trailers}) {}
    H1Reader(const H1Reader&) = delete;
    H1Reader& operator=(const H1Reader&) = delete;

    /// Takes what has come. After `complete`, the call has its route and its body.
    Progress read(Input& input) {
        is_clear_ = false;
        if (!is_reading_body_) {
            const Progress progress = read_head(input);
            if (progress != Progress::need_more || !is_reading_body_) return progress;
        }
        const Progress progress = read_body(input);
        if (progress == Progress::complete) framing_.expect_continue = false;
        return progress;
    }

    /// After `complete`, on a route that has its body streamed: whether there is one.
    [[nodiscard]] bool has_body_to_stream() const noexcept {
        return call_.route->streams_body && framing_.body != http1::Framing::Body::none;
    }
    /// Takes what has come of that body and appends it, decoded, to `piece`; nothing more after `complete`.
    Progress read_piece(Input& input, BodyBytes& piece) {
        if (!input.bytes().empty()) framing_.expect_continue = false;
        const std::size_t before = piece.size();
        const Progress progress = append_body(input, piece, room_behind(streamed_));
        streamed_ += piece.size() - before;
        return progress;
    }
    /// Room in the memory of the body for bytes of it that are still to come, if they may be received there
    /// at once; else they come by way of the input, which must be empty for that. Not before a client has
    /// shown that it sends much: no memory waits for what may never come. Never more than is left of the
    /// body, since what follows it belongs to the next request.
    [[nodiscard]] std::span<char> room_for_body(const Input& input) {
        constexpr std::size_t much = 64 * 1024;
        constexpr std::size_t most = 256 * 1024;
        if (!input.bytes().empty() || body_.kind() != http1::Framing::Body::length) return {};
        BodyBytes& body = call_.request.body_storage;
        const auto left = cast_to<std::size_t>(body_.left_in_piece());
        if (call_.route->streams_body) {
            if (streamed_ < much) return {};
            body.reserve(much);
            return {body.end(), std::min(left, much)};
        }
        if (body.size() < much || left == 0) return {};
        make_room(body, 1, left - 1);
        return {body.end(), std::min({left, body.room(), most})};
    }
    /// So many bytes were received there.
    void took(std::size_t size) noexcept {
        call_.request.body_storage.took(size);
        body_.took(size);
        streamed_ += size;
    }
    /// How much of it was taken.
    [[nodiscard]] std::size_t streamed() const noexcept { return streamed_; }
    /// The client was asked for the body.
    void stop_expecting() noexcept { framing_.expect_continue = false; }

    /// After `refused`: the status, and why in words for the client.
    [[nodiscard]] int refusal_status() const noexcept { return refusal_status_; }
    [[nodiscard]] std::string_view refusal_reason() const noexcept { return refusal_reason_; }

    /// Whether the head is complete and the body is still coming, and how much of it is here.
    [[nodiscard]] bool is_reading_body() const noexcept { return is_reading_body_; }
    [[nodiscard]] std::size_t body_received() const noexcept { return call_.request.body_storage.size(); }
    [[nodiscard]] RateLimit& body_rate() noexcept { return body_rate_; }
    /// Whether anything but empty lines has come.
    [[nodiscard]] bool has_begun() const noexcept { return parser_.started(); }
    /// The memory that the request takes beside the input.
    [[nodiscard]] std::size_t held_bytes() const noexcept {
        return call_.request.storage.capacity() + call_.request.body_storage.capacity();
    }
    /// Whether the client waits for a "100 Continue" before it sends the body, or has not sent it since.
    [[nodiscard]] bool expects_continue() const noexcept { return framing_.expect_continue; }
    /// Whether an answer that needs no body closes the connection rather than wait for the body: the client
    /// waits to be asked for it, or it is large.
    [[nodiscard]] bool is_worth_refusing() const noexcept {
        constexpr std::uint64_t small_body = 64 * 1024;
        return framing_.expect_continue || framing_.body == http1::Framing::Body::chunked ||
               framing_.length > small_body;
    }
    [[nodiscard]] bool keeps_alive() const noexcept { return framing_.keep_alive; }
    [[nodiscard]] bool is_http_1_0() const noexcept { return head_.minor_version == 0; }

    /// Moves the request out of the input to memory of its own, because its handler may run for long.
    void detach(Input& input) {
        Request& request = call_.request;
        if (is_detached()) return;
        const std::size_t size = head_.size + request.body.size();
        request.storage.assign(request.base, size);
        request.base = request.storage.data();
        request.body = std::string_view(request.storage).substr(head_.size);
        input.consume(size);
    }

    /// The request is answered: its bytes leave the input, and the next one may be read.
    void finish(Input& input) noexcept {
        if (!is_detached()) input.consume(head_.size + call_.request.body.size());
        clear();
    }

    void clear() noexcept {
        if (std::exchange(is_clear_, true)) return;
        call_.clear();
        parser_.reset();
        is_reading_body_ = false;
        body_rate_ = RateLimit();
    }

    /// For the answer to a head that was refused: what there is of its first line. HEAD is told from the
    /// first bytes even of a line that cannot be read to its end, since its answer has no content (RFC 9110
    /// section 9.3.2).
    void take_what_is_known(std::string_view bytes) noexcept {
        if (call_.request.method_name.length != 0) return;
        is_clear_ = false;
        if (parser_.has_start_line()) {
            CallBuilder(call_).take(bytes.data(), head_.method, head_.method_name, head_.target,
                                    head_.fields);
            call_.request.is_cut_short = true;
            return;
        }
        for (unsigned i = 0; i < http1::RequestLine::empty_lines_allowed && bytes.starts_with("\r\n"); ++i) {
            bytes.remove_prefix(2);
        }
        if (bytes.starts_with("HEAD ")) call_.request.known_method = Method::head;
    }

  private:
    [[nodiscard]] bool is_detached() const noexcept { return !call_.request.storage.empty(); }
    [[nodiscard]] std::size_t body_limit() const noexcept {
        return std::min(call_.route->max_body.value_or(config_.max_body), call_.body_limit);
    }
    // Middleware may have made the limit smaller than what has come.
    [[nodiscard]] std::size_t room_behind(std::size_t size) const noexcept {
        return body_limit() - std::min(size, body_limit());
    }

    Progress refuse(int status, std::string_view reason) {
        refusal_status_ = status;
        refusal_reason_ = reason;
        return Progress::refused;
    }
    Progress refuse_body_size() {
        return refuse(413, "the body is larger than " + std::to_string(body_limit()) + " bytes");
    }

    Progress read_head(Input& input) {
        switch (parser_.parse(input.bytes(), head_)) {
            case http1::RequestParser::Result::need_more:
                return Progress::need_more;
            case http1::RequestParser::Result::refused:
                return refuse(parser_.status(), parser_.reason());
            case http1::RequestParser::Result::done:
                break;
        }
        return interpret_head(input);
    }

    // Everything that the head decides, before the first byte of the body is looked at.
    Progress interpret_head(Input& input) {
        Request& request = call_.request;
        std::string_view rest = input.bytes();
        framing_ = http1::decide_framing(head_, rest.data(), hosts_);
        CallBuilder builder(call_);
        builder.take(rest.data(), head_.method, head_.method_name, head_.target, head_.fields);
        if (is_http_1_0()) [[unlikely]]
            request.is_http_1_0 = true;
        if (framing_.refuse_status != 0) return refuse(framing_.refuse_status, framing_.reason);
        if (const Refusal* const refusal = builder.end()) return refuse(refusal->status, refusal->reason);
        routes_.route(call_);
        rest.remove_prefix(head_.size);
        if (framing_.body == http1::Framing::Body::none) {
            request.body = {rest.data(), 0};
            return Progress::complete;
        }
        const bool is_chunked = framing_.body == http1::Framing::Body::chunked;
        if (!is_chunked && framing_.length > body_limit()) return refuse_body_size();
        if (call_.route->streams_body) {
            body_.reset(framing_);
            streamed_ = 0;
            return Progress::complete;
        }
        if (!is_chunked && framing_.length <= rest.size()) {
            request.body = {rest.data(), cast_to<std::size_t>(framing_.length)};
            framing_.expect_continue = false;
            return Progress::complete;
        }
        if (framing_.expect_continue && rest.empty() && !call_.route->reads_body()) {
            // Its answer is known already, so its body is not asked for (RFC 9110 section 10.1.1).
            framing_.keep_alive = false;
            return Progress::complete;
        }
        request.storage.assign(request.base, head_.size);
        request.base = request.storage.data();
        input.consume(head_.size);
        is_reading_body_ = true;
        body_.reset(framing_);
        if (!rest.empty()) framing_.expect_continue = false;  // it does not wait
        return Progress::need_more;
    }

    Progress read_body(Input& input) {
        BodyBytes& body = call_.request.body_storage;
        const Progress progress = append_body(input, body, room_behind(body.size()));
        if (progress == Progress::complete) call_.request.body = body.view();
        return progress;
    }

    // Appends what has come of the body, decoded, and no more than `room` bytes.
    Progress append_body(Input& input, BodyBytes& body, std::size_t room) {
        for (;;) {
            using Kind = http1::BodyReader::Step::Kind;
            const http1::BodyReader::Step step = body_.read(input.bytes());
            if (step.kind == Kind::refused) return refuse(body_.status(), body_.reason());
            // Also what the size of a chunk announces is too much at once.
            const std::size_t size = step.data.size();
            if (size > room || body_.left_in_piece() > room - size) return refuse_body_size();
            room -= size;
            if (!call_.route->streams_body)
                make_room(body, size, cast_to<std::size_t>(body_.left_in_piece()));
            body.append(step.data);
            input.consume(step.consumed);
            if (step.kind == Kind::need_more) return Progress::need_more;
            if (step.kind == Kind::done) return Progress::complete;
        }
    }

    // So that it grows seldom; but not all of what a client announces before it has sent a good part of it.
    // Not by a power of two, or the usual sizes, such as 1 MiB, would grow once more for their last bytes.
    static void make_room(BodyBytes& body, std::size_t piece, std::size_t announced) {
        const std::size_t size = body.size() + piece;
        if (size > body.capacity()) body.reserve(size + std::min(announced, size * 4));
    }

    const Config& config_;
    const RouteTable& routes_;
    Call& call_;
    http1::RequestHead head_;
    http1::RequestParser parser_;
    http1::BodyReader body_;
    http1::HostCheck hosts_;
    http1::Framing framing_;
    int refusal_status_ = 0;
    std::string refusal_reason_;
    RateLimit body_rate_;
    std::size_t streamed_ = 0;
    bool is_reading_body_ = false;
    bool is_clear_ = true;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
