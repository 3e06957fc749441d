// The handshake of a WebSocket for a client, without its I/O (RFC 6455 section 4.1): what is sent, and what
// the answer comes to. How it travels is in client_websocket_impl.hpp.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/byte_buffer.hpp"
#include "sake/base/hash.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/random.hpp"
#include "sake/base/text.hpp"
#include "sake/base/version.hpp"
#include "sake/client/client_request_impl.hpp"
#include "sake/client/client_response_impl.hpp"
#include "sake/client/client_websocket.hpp"
#include "sake/client/url_impl.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/ws_extensions.hpp"
#include "sake/http/ws_handshake.hpp"
#include "sake/http1/response_parser.hpp"
#include "sake/http1/writer.hpp"
#include "sake/websocket/ws_terms.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

/// 16 random bytes in base64.
inline std::string make_websocket_key() {
    const sake::detail::HashKey key = sake::detail::make_random_key();
    static_assert(sizeof key == 16);
    return base64_encode({reinterpret_cast<const char*>(&key), sizeof key});
}

/// "ws://host:port/path", without the query, which may hold a secret.
inline std::string name_of_websocket(const Url& url) {
    return "ws://" + url.authority + url.target.substr(0, url.target.find('?'));
}

/// What may help after such an answer.
constexpr std::string_view help_after_refusal(int status) noexcept {
    switch (status) {
        case 407:
            return "set Proxy-Authorization by WebSocketRequest::header";
        case 401:
        case 403:
            return "the server may want Authorization, Cookie or Origin: see WebSocketRequest::header";
        case 426:
            return "the server wants another protocol, or another version of WebSocket than 13";
        case 429:
        case 503:
            return "try again later";
        default:
            return status >= 500 ? "the server has failed" : "there may be no WebSocket at this path";
    }
}

/// A WebSocket that is about to be opened.
class WebSocketOpening {
  public:
    explicit WebSocketOpening(const WebSocketRequest& request)
        : terms(new sake::detail::WsTerms(request.options(), sake::detail::WsRole::client)),
          name(name_of_websocket(request.url())),
          key_(make_websocket_key()),
          parser_(head_limits(ClientOptions())) {}

    sake::detail::OwningPtr<sake::detail::WsTerms> terms;
    const std::string name;  // in messages
    sake::detail::http1::ReceivedHead head;

    /// The head of the request.
    [[nodiscard]] std::string text(const WebSocketRequest& request) const;
    /// Looks at what has come. Whether the head of the answer is complete, with `skipped` bytes of interim
    /// ones before it. Throws BadResponse.
    [[nodiscard]] bool has_head(std::string_view unread, std::size_t& skipped);
    /// After that, with the bytes of the head: what both sides have agreed on. Throws BadResponse.
    [[nodiscard]] sake::detail::WsAgreement agreement(std::string_view bytes) const;
    /// Throws WebSocketRefused.
    [[noreturn]] void refuse(std::string_view location, std::string body) const;

  private:
    [[nodiscard]] sake::detail::WsWindows windows() const noexcept {
        const bool is_dedicated = terms->options.compression == WebSocketCompression::dedicated;
        return is_dedicated ? sake::detail::WsWindows::dedicated : sake::detail::WsWindows::shared;
    }
    [[nodiscard]] bool takes_extensions(const Headers& fields, sake::detail::WsDeflate& agreed) const;

    std::string key_;
    sake::detail::http1::ResponseParser parser_;
};

inline std::string WebSocketOpening::text(const WebSocketRequest& request) const {
    Headers fields = request.headers();
    fields.set("Sec-WebSocket-Version", "13");
    fields.set("Sec-WebSocket-Key", key_);
    std::string protocols;
    for (const std::string& each : terms->options.protocols) {
        protocols += (protocols.empty() ? "" : ", ") + each;
    }
    if (!protocols.empty()) fields.set("Sec-WebSocket-Protocol", protocols);
    std::string offer;
    if (terms->compresses()) sake::detail::append_ws_offer(windows(), terms->options.window_bits, offer);
    if (!offer.empty()) fields.set("Sec-WebSocket-Extensions", offer);

    sake::detail::http1::RequestTerms line;
    line.method = "GET";
    line.target = request.url().target;
    line.host = request.url().authority;
    line.user_agent = "sake/" SAKE_VERSION;
    line.connection = sake::detail::http1::ConnectionLine::upgrade_to_websocket;
    sake::detail::ByteBuffer out;
    sake::detail::http1::append_request_head(out, line, fields);
    return std::string(out.view());
}

inline bool WebSocketOpening::has_head(std::string_view unread, std::size_t& skipped) {
    using Result = sake::detail::http1::ResponseParser::Result;
    for (;;) {
        const Result result = parser_.parse(unread.substr(skipped), head);
        if (result == Result::refused) throw_bad_response(name, parser_.reason());
        if (result != Result::done) return false;
        if (head.status == 101 || !sake::detail::is_informational(head.status)) return true;
        skipped += head.size;
        parser_.reset();
    }
}

inline bool WebSocketOpening::takes_extensions(const Headers& fields, sake::detail::WsDeflate& agreed) const {
    if (!fields.contains("Sec-WebSocket-Extensions")) return true;
    const std::string list = sake::detail::ws_list(fields, "Sec-WebSocket-Extensions");
    return terms->compresses() &&
           sake::detail::ws_take_answer(list, windows(), terms->options.window_bits, agreed);
}

inline sake::detail::WsAgreement WebSocketOpening::agreement(std::string_view bytes) const {
    const Headers fields = fields_of(head, bytes);
    sake::detail::WsAnswer answer =
        sake::detail::ws_check_answer(head.status, fields, key_, terms->options.protocols);
    sake::detail::WsAgreement agreed;
    if (answer.fault == nullptr && !takes_extensions(fields, agreed.deflate)) {
        answer.fault = "the answer has an extension that was not offered so";
    }
    if (answer.fault != nullptr) {
        throw_bad_response(name, std::string(answer.fault) +
                                     "; a proxy on the way may not pass WebSockets on, or there is none at "
                                     "this URL");
    }
    agreed.protocol = answer.protocol;
    return agreed;
}

inline void WebSocketOpening::refuse(std::string_view location, std::string body) const {
    constexpr std::size_t most_shown = 200;
    std::string what = "cannot open " + name + ": the server answers " + std::to_string(head.status);
    if (!body.empty()) {
        what += " \"";
        append_escaped(what, std::string_view(body).substr(0, most_shown));
        what += body.size() > most_shown ? "...\"" : "\"";
    }
    if (location.empty()) {
        what.append("; ").append(help_after_refusal(head.status));
    } else {
        what += "; it redirects to \"" + loggable_url(location) + "\", which is not followed: open that URL";
    }
    throw WebSocketRefused(what, head.status, std::move(body));
}

}  // namespace detail
}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
