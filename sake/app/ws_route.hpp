// A route of Engine::ws: its handler, what it agrees to, and the handshake (RFC 6455 section 4.2), which is
// an HTTP request like others. What comes after its answer is in server/ws_session.hpp.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/problem.hpp"
#include "sake/app/request_impl.hpp"
#include "sake/app/response_impl.hpp"
#include "sake/app/upgrade.hpp"
#include "sake/app/ws_handler.hpp"
#include "sake/http/origin.hpp"
#include "sake/http/ws_extensions.hpp"
#include "sake/http/ws_handshake.hpp"
#include "sake/websocket/ws_terms.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class WsRoute;

/// What a handshake has come to, in a slot of its call.
struct WsAgreed {
    const WsRoute* route = nullptr;
    WsAgreement agreement;
};

class WsRoute {
  public:
    /// Throws std::invalid_argument that names an option which makes no sense.
    WsRoute(WsHandler handler, WebSocketOptions options, void (*take_over)(H1Handover&))
        : handler_(std::move(handler)), terms_(std::move(options), WsRole::server), take_over_(take_over) {
        allows_all_origins_ = std::erase(terms_.options.origins, "*") != 0;
        require_origins("WebSocketOptions::origins", terms_.options.origins);
        for (const std::string& protocol : terms_.options.protocols) {
            if (is_token(protocol)) continue;
            throw std::invalid_argument("WebSocketOptions::protocols: '" + protocol +
                                        "' is not a token (RFC 9110 section 5.6.2)");
        }
    }
    WsRoute(const WsRoute&) = delete;
    WsRoute& operator=(const WsRoute&) = delete;

    [[nodiscard]] const WsHandler& handler() const noexcept { return handler_; }
    [[nodiscard]] const WsTerms& terms() const noexcept { return terms_; }

    /// Answers 101, or says why not.
    void shake_hands(Call& call) const {
        const RequestHeaders fields = call.context.headers();
        const Request& request = call.request;
        const WsAsked asked = ws_check_request(request.known_method, request.is_http_1_0, fields);
        if (asked.ask == WsAsk::not_asked) return ask_for_upgrade(call, "this is a WebSocket");
        if (asked.ask == WsAsk::bad_version) {
            return ask_for_upgrade(call, "only version 13 of WebSocket is supported here");
        }
        // If it is refused: proxies may take what follows for frames, whatever the answer says.
        call.response.close = true;
        if (asked.ask == WsAsk::bad_request) throw HttpError(400, "the WebSocket handshake is not valid");
        check_origin(call);
        handler_.check_arguments(call);
        WsAgreed& agreed = call.state.get<WsAgreed>();
        agreed.route = this;
        const std::string extensions = agree(fields, agreed.agreement);
        call.state.get<Upgrade>().take_over = take_over_;
        answer(call.response, asked.key, agreed.agreement, extensions);
    }

  private:
    static void ask_for_upgrade(Call& call, std::string_view detail) {
        call.response.set_problem(426, detail);
        call.response.headers.set("Upgrade", "websocket");
        call.response.headers.set("Connection", "Upgrade");
        call.response.headers.set("Sec-WebSocket-Version", "13");
    }

    /// Browsers let any page connect anywhere, cookies included, and say by Origin which page it is.
    void check_origin(Call& call) const {
        const auto [origin, count] = ws_field(call.context.headers(), "Origin");
        if (count > 1) throw HttpError(400, "Origin occurs more than once");
        if (count == 0 || allows_all_origins_ || is_origin_of(origin, call.context.host())) return;
        const auto& origins = terms_.options.origins;
        if (std::find(origins.begin(), origins.end(), origin) != origins.end()) return;
        throw HttpError(403, "pages of this origin may not connect; see WebSocketOptions::origins");
    }

    /// Returns what the field Sec-WebSocket-Extensions says.
    std::string agree(const RequestHeaders& fields, WsAgreement& agreement) const {
        const WebSocketOptions& options = terms_.options;
        const WsProtocol protocol = ws_choose_protocol(fields, options.protocols);
        if (protocol.is_malformed) throw HttpError(400, "Sec-WebSocket-Protocol is not a list of tokens");
        agreement.protocol = protocol.name;
        const std::string offers = ws_list(fields, "Sec-WebSocket-Extensions");
        std::string answer;
        if (offers.empty()) return answer;
        const bool is_shared = options.compression == WebSocketCompression::shared;
        const WsWindows windows = is_shared ? WsWindows::shared : WsWindows::dedicated;
        if (!ws_accept_offer(offers, windows, options.window_bits, agreement.deflate, answer)) {
            throw HttpError(400, "Sec-WebSocket-Extensions is not valid");
        }
        if (terms_.compresses()) return answer;
        agreement.deflate = {};
        return {};
    }

    static void answer(Response& response, std::string_view key, const WsAgreement& agreement,
                       const std::string& extensions) {
        response.close = false;
        response.status = switching_protocols;
        response.headers.set("Sec-WebSocket-Accept", ws_accept_key(key));
        if (!agreement.protocol.empty()) response.headers.set("Sec-WebSocket-Protocol", agreement.protocol);
        if (!extensions.empty()) response.headers.set("Sec-WebSocket-Extensions", extensions);
    }

    WsHandler handler_;
    WsTerms terms_;
    void (*take_over_)(H1Handover&);
    bool allows_all_origins_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
