// libwebsockets in the benchmarks (Debian: libwebsockets-dev): one thread, its callbacks; /echo, /topic and
// /publish as in ws_server.cpp. It tells when a socket may be written to, and takes one message each time. It
// has no topics: what is published is noted for each in a loop, and each asks to be written to.

#include <libwebsockets.h>

#include <csignal>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>

namespace {

using Text = std::shared_ptr<std::string>;

struct Peer {
    lws* socket;
    std::string path;
    std::string incoming;
    std::deque<Text> waiting;  // each begins with LWS_PRE bytes for the head
};

std::unordered_set<Peer*> subscribers;
volatile std::sig_atomic_t is_ending = 0;

void send(Peer& peer, Text text) {
    peer.waiting.push_back(std::move(text));
    lws_callback_on_writable(peer.socket);
}

void take(Peer& peer, const char* bytes, std::size_t size) {
    if (peer.incoming.empty()) peer.incoming.assign(LWS_PRE, ' ');
    peer.incoming.append(bytes, size);
    if (lws_remaining_packet_payload(peer.socket) > 0 || !lws_is_final_fragment(peer.socket)) return;
    const auto text = std::make_shared<std::string>(std::move(peer.incoming));
    peer.incoming.clear();
    if (peer.path == "/echo") send(peer, text);
    if (peer.path != "/publish") return;
    for (Peer* const each : subscribers) send(*each, text);
}

bool write_one(Peer& peer) {
    if (peer.waiting.empty()) return true;
    std::string& text = *peer.waiting.front();
    auto* const payload = reinterpret_cast<unsigned char*>(text.data() + LWS_PRE);
    const int sent = lws_write(peer.socket, payload, text.size() - LWS_PRE, LWS_WRITE_TEXT);
    peer.waiting.pop_front();
    if (!peer.waiting.empty()) lws_callback_on_writable(peer.socket);
    return sent >= 0;
}

void begin(Peer& peer, lws* socket) {
    char path[64] = "";
    lws_hdr_copy(socket, path, sizeof path, WSI_TOKEN_GET_URI);
    peer.socket = socket;
    peer.path = path;
    if (peer.path == "/topic") subscribers.insert(&peer);
}

int serve_http(lws* socket) {
    constexpr std::string_view body = "Hello, World!";
    unsigned char bytes[LWS_PRE + 512];
    unsigned char* const start = bytes + LWS_PRE;
    unsigned char* at = start;
    if (lws_add_http_common_headers(socket, 200, "text/plain", body.size(), &at, bytes + sizeof bytes) != 0 ||
        lws_finalize_http_header(socket, &at, bytes + sizeof bytes) != 0) {
        return -1;
    }
    for (const char c : body) *at++ = static_cast<unsigned char>(c);
    if (lws_write(socket, start, static_cast<std::size_t>(at - start), LWS_WRITE_HTTP_FINAL) < 0) return -1;
    return lws_http_transaction_completed(socket) != 0 ? -1 : 0;
}

int callback(lws* socket, lws_callback_reasons reason, void* user, void* bytes, std::size_t size) {
    auto* const peer = static_cast<Peer*>(user);
    switch (reason) {
        case LWS_CALLBACK_ESTABLISHED:
            begin(*new (peer) Peer{}, socket);
            return 0;
        case LWS_CALLBACK_CLOSED:
            subscribers.erase(peer);
            peer->~Peer();
            return 0;
        case LWS_CALLBACK_RECEIVE:
            take(*peer, static_cast<const char*>(bytes), size);
            return 0;
        case LWS_CALLBACK_SERVER_WRITEABLE:
            return write_one(*peer) ? 0 : -1;
        case LWS_CALLBACK_HTTP:
            return serve_http(socket);
        default:
            return lws_callback_http_dummy(socket, reason, user, bytes, size);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const lws_protocols protocols[] = {{"bench", callback, sizeof(Peer), 65536, 0, nullptr, 65536},
                                       {nullptr, nullptr, 0, 0, 0, nullptr, 0}};
    lws_set_log_level(LLL_ERR, nullptr);
    lws_context_creation_info info{};
    info.port = argc > 1 ? std::atoi(argv[1]) : 8080;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.keepalive_timeout = 600;
    const auto end = [](int) { is_ending = 1; };
    std::signal(SIGTERM, end);
    lws_context* const context = lws_create_context(&info);
    if (context == nullptr) return 1;
    while (is_ending == 0 && lws_service(context, 0) >= 0) continue;
    lws_context_destroy(context);
}
