// Exchange: one request being read, from the bytes of the input to a routed Context with its body. It decides
// what is refused and with which status; sending, waiting and running handlers are the connection's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/config.hpp"
#include "sake/app/context.hpp"
#include "sake/app/route.hpp"
#include "sake/http1/chunked.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/request_parser.hpp"
#include "sake/server/input.hpp"
#include "sake/server/rate_limit.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Recycled: `clear` makes it ready for the next request and keeps its memory.
class Exchange {
  public:
    enum class Progress : std::uint8_t { need_more, complete, refused };

    Exchange(const Config& config, const RouteTable& routes)
        : config_(config),
          routes_(routes),
          parser_(http1::HeadLimits{config.max_request_line, config.max_header_block,
                                    static_cast<std::size_t>(config.max_header_count)}),
          chunks_(http1::ChunkedLimits{config.max_chunk_extensions, config.max_trailers}) {}

    Context ctx;

    /// Takes what has come. After `complete`, ctx has its route and its body.
    Progress read(Input& input) {
        is_clear_ = false;
        if (!is_reading_body_) {
            const Progress progress = read_head(input);
            if (progress != Progress::need_more || !is_reading_body_) return progress;
        }
        const bool is_sized = framing_.body == http1::Framing::Body::length;
        const Progress progress = is_sized ? read_sized_body(input) : read_chunked_body(input);
        if (progress == Progress::complete) framing_.expect_continue = false;
        return progress;
    }

    /// After `refused`: the status, and why in words for the client.
    [[nodiscard]] int refusal_status() const noexcept { return refusal_status_; }
    [[nodiscard]] std::string_view refusal_reason() const noexcept { return refusal_reason_; }

    /// Whether the head is complete and the body is still coming, and how much of it is here.
    [[nodiscard]] bool is_reading_body() const noexcept { return is_reading_body_; }
    [[nodiscard]] std::size_t body_received() const noexcept { return request().body_storage.size(); }
    [[nodiscard]] TransferPace& body_pace() noexcept { return body_pace_; }
    /// Whether anything but empty lines has come.
    [[nodiscard]] bool has_begun() const noexcept { return parser_.started(); }
    /// The memory that the request takes beside the input.
    [[nodiscard]] std::size_t held_bytes() const noexcept {
        return request().storage.capacity() + request().body_storage.capacity();
    }
    /// Whether the client waits for a "100 Continue" before it sends the body, or has not sent it since.
    [[nodiscard]] bool expects_continue() const noexcept { return framing_.expect_continue; }
    [[nodiscard]] bool keeps_alive() const noexcept { return framing_.keep_alive; }
    [[nodiscard]] bool is_head_request() const noexcept {
        return request().head.method == http::Method::head;
    }
    [[nodiscard]] bool is_http_1_0() const noexcept { return request().head.minor_version == 0; }
    [[nodiscard]] const Route& route() const noexcept { return *ContextAccess::route(ctx); }

    /// Moves the request out of the input to memory of its own, because its handler may run for long.
    void detach(Input& input) {
        Request& req = request();
        if (is_detached()) return;
        const std::size_t size = req.head.size + req.body.size();
        req.storage.assign(req.base, size);
        req.base = req.storage.data();
        req.body = std::string_view(req.storage).substr(req.head.size);
        input.consume(size);
    }

    /// The request is answered: its bytes leave the input, and the next one may be read.
    void finish(Input& input) noexcept {
        if (!is_detached()) input.consume(request().head.size + request().body.size());
        clear();
    }

    void clear() noexcept {
        if (std::exchange(is_clear_, true)) return;
        ContextAccess::clear(ctx);
        parser_.reset();
        chunks_.reset();
        is_reading_body_ = false;
        body_pace_ = TransferPace();
    }

    /// Tells HEAD from the first bytes of a request whose line cannot be read to its end: even then, the
    /// answer has no content (RFC 9110 section 9.3.2).
    void guess_method(std::string_view bytes) noexcept {
        http1::RequestHead& head = request().head;
        if (head.method_name.length != 0) return;
        is_clear_ = false;
        for (unsigned i = 0; i < http1::RequestLine::empty_lines_allowed && bytes.starts_with("\r\n"); ++i) {
            bytes.remove_prefix(2);
        }
        if (bytes.starts_with("HEAD ")) head.method = http::Method::head;
    }

  private:
    [[nodiscard]] Request& request() noexcept { return ContextAccess::request(ctx); }
    [[nodiscard]] const Request& request() const noexcept { return ContextAccess::request(ctx); }
    [[nodiscard]] bool is_detached() const noexcept { return !request().storage.empty(); }
    [[nodiscard]] std::size_t body_limit() const noexcept { return route().body_limit(config_.max_body); }

    Progress refuse(int status, std::string_view reason) {
        refusal_status_ = status;
        refusal_reason_ = reason;
        return Progress::refused;
    }
    Progress refuse_body_size() {
        return refuse(413, "the body is larger than " + std::to_string(body_limit()) + " bytes");
    }

    Progress read_head(Input& input) {
        switch (parser_.parse(input.bytes(), request().head)) {
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
        Request& req = request();
        std::string_view rest = input.bytes();
        req.base = rest.data();
        rest.remove_prefix(req.head.size);
        framing_ = http1::decide_framing(req.head, req.base, hosts_);
        if (framing_.refuse_status != 0) return refuse(framing_.refuse_status, framing_.reason);
        if (!req.resolve_target()) return refuse(400, "the request target is not valid");
        // RFC 9110 section 7.4: only over a connection that is secured.
        if (req.is_for_https()) return refuse(421, "this connection is not secured, and the target is https");
        find_route();
        const bool is_chunked = framing_.body == http1::Framing::Body::chunked;
        if (!is_chunked && framing_.length > body_limit()) return refuse_body_size();
        if (!is_chunked && framing_.length <= rest.size()) {
            req.body = {rest.data(), static_cast<std::size_t>(framing_.length)};
            framing_.expect_continue = false;
            return Progress::complete;
        }
        if (framing_.expect_continue && rest.empty() && !route().reads_body()) {
            // Its answer is known already, so its body is not asked for (RFC 9110 section 10.1.1).
            framing_.keep_alive = false;
            return Progress::complete;
        }
        req.storage.assign(req.base, req.head.size);
        req.base = req.storage.data();
        input.consume(req.head.size);
        is_reading_body_ = true;
        if (!rest.empty()) framing_.expect_continue = false;  // it does not wait
        return Progress::need_more;
    }

    void find_route() noexcept {
        Request& req = request();
        const Route* found =
            routes_.router().find(req.match_path(), req.head.method, req.method(), req.params);
        ContextAccess::route(ctx) = found != nullptr ? found : &routes_.fallback();
    }

    Progress read_sized_body(Input& input) {
        Request& req = request();
        const std::size_t missing = static_cast<std::size_t>(framing_.length) - req.body_storage.size();
        const std::string_view piece = input.bytes().substr(0, missing);
        make_room(req.body_storage, piece.size(), missing);
        req.body_storage.append(piece);
        input.consume(piece.size());
        if (piece.size() < missing) return Progress::need_more;
        req.body = req.body_storage;
        return Progress::complete;
    }

    // Ahead of the string, which would double so often that most of the time went into fresh pages; but not
    // all of what a client announces before it has sent a good part of it.
    static void make_room(std::string& body, std::size_t piece, std::size_t missing) {
        const std::size_t size = body.size() + piece;
        if (size <= body.capacity()) return;
        body.reserve(std::min(body.size() + missing, size * 4));
        sys::prefer_large_pages(body.data(), body.capacity());
    }

    Progress read_chunked_body(Input& input) {
        Request& req = request();
        for (;;) {
            using Kind = http1::ChunkedDecoder::Step::Kind;
            const http1::ChunkedDecoder::Step step = chunks_.decode(input.bytes());
            if (step.kind == Kind::refused) return refuse(chunks_.status(), chunks_.reason());
            // Also what the size of a chunk announces is too much at once.
            const std::size_t room = body_limit() - req.body_storage.size();
            if (step.data.size() > room || chunks_.left_in_chunk() > room - step.data.size()) {
                return refuse_body_size();
            }
            req.body_storage.append(step.data);
            input.consume(step.consumed);
            if (step.kind == Kind::need_more) return Progress::need_more;
            if (step.kind == Kind::done) break;
        }
        req.body = req.body_storage;
        return Progress::complete;
    }

    const Config& config_;
    const RouteTable& routes_;
    http1::RequestParser parser_;
    http1::ChunkedDecoder chunks_;
    http1::HostCheck hosts_;
    http1::Framing framing_;
    int refusal_status_ = 0;
    std::string refusal_reason_;
    TransferPace body_pace_;
    bool is_reading_body_ = false;
    bool is_clear_ = true;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
