// Judges what a WebSocket server has sent.
#include "ws_judge.hpp"

#ifdef SAKE_WITH_ZLIB
#include <zlib.h>
#endif

#include <algorithm>
#include <cstdint>
#include <utility>

namespace harness::ws {
namespace {

// ---- the extension's parameters

struct Parameter {
    std::string name;
    std::string value;
    bool has_value = false;
};

std::string trimmed(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    const std::size_t end = text.find_last_not_of(" \t");
    return std::string(begin == text.size() ? "" : text.substr(begin, end + 1 - begin));
}

// No text of the tables has a separator in quotes.
std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(separator, at), text.size());
        parts.push_back(trimmed(text.substr(at, end - at)));
        at = end + 1;
    }
    return parts;
}

std::vector<Parameter> parameters_of(std::string_view extension) {
    std::vector<Parameter> found;
    for (const std::string& part : split(extension, ';')) {
        const std::size_t sign = part.find('=');
        Parameter one{trimmed(std::string_view(part).substr(0, sign)), "", sign != std::string::npos};
        if (one.has_value) one.value = trimmed(std::string_view(part).substr(sign + 1));
        found.push_back(std::move(one));
    }
    return found;
}

const Parameter* find(const std::vector<Parameter>& list, std::string_view name) {
    const auto at =
        std::find_if(list.begin(), list.end(), [&](const Parameter& p) { return p.name == name; });
    return at == list.end() ? nullptr : &*at;
}

// 7.1.2: 8 to 15, in decimal without leading zeros; 0 for anything else.
int window_bits(const Parameter& parameter) {
    std::string_view value = parameter.value;
    if (value.size() > 1 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
    if (value == "8" || value == "9") return value[0] - '0';
    if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5')
        return 10 + value[1] - '0';
    return 0;
}

// 7.1: whether a server may answer this offer so.
bool fits(const std::vector<Parameter>& offer, const std::vector<Parameter>& answer,
          const Agreement& agreed) {
    if (offer.front().name != "permessage-deflate") return false;
    if (find(offer, "server_no_context_takeover") && agreed.server_keeps_window) return false;
    const Parameter* const server_bits = find(offer, "server_max_window_bits");
    if (server_bits &&
        (!find(answer, "server_max_window_bits") || agreed.server_bits > window_bits(*server_bits))) {
        return false;
    }
    const Parameter* const client_bits = find(offer, "client_max_window_bits");
    if (!client_bits) return !find(answer, "client_max_window_bits");
    return !client_bits->has_value || !find(answer, "client_max_window_bits") ||
           agreed.client_bits <= window_bits(*client_bits);
}

std::string set_parameter(Agreement& agreed, const Parameter& one) {
    if (one.name == "server_no_context_takeover" && !one.has_value) {
        agreed.server_keeps_window = false;
    } else if (one.name == "client_no_context_takeover" && !one.has_value) {
        agreed.client_keeps_window = false;
    } else if (one.name == "server_max_window_bits" && window_bits(one) > 0) {
        agreed.server_bits = window_bits(one);
    } else if (one.name == "client_max_window_bits" && window_bits(one) > 0) {
        agreed.client_bits = window_bits(one);
    } else {
        return "the answer has the parameter '" + one.name + "=" + one.value + "'";
    }
    return {};
}

// ---- frames

bool is_control(int opcode) { return opcode >= 8; }

std::string name_of(int opcode) {
    switch (opcode) {
        case op_text:
            return "text";
        case op_binary:
            return "binary";
        case op_ping:
            return "ping";
        case op_pong:
            return "pong";
        case op_close:
            return "close";
        default:
            return "opcode " + std::to_string(opcode);
    }
}

std::string shown(const Heard& one) {
    return name_of(one.opcode) + " of " + std::to_string(one.data.size()) + " bytes '" +
           one.data.substr(0, 40) + "'";
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : bytes.substr(at, size)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
}

}  // namespace

std::string handshake(std::string_view path, std::string_view offer, std::string_view fields) {
    std::string text = "GET " + std::string(path) +
                       " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    if (!offer.empty()) text += "Sec-WebSocket-Extensions: " + std::string(offer) + "\r\n";
    return text.append(fields).append("\r\n");
}

Agreement read_agreement(std::string_view offer, std::string_view answer, std::string& complaint) {
    Agreement agreed;
    if (answer.empty()) return agreed;
    const std::vector<Parameter> given = parameters_of(answer);
    if (given.front().name != "permessage-deflate") complaint = "the answer names another extension";
    agreed.is_on = true;
    for (std::size_t i = 1; i < given.size(); ++i) {
        if (find(given, given[i].name) != &given[i]) complaint = "the answer has a parameter twice";
        const std::string fault = set_parameter(agreed, given[i]);
        if (!fault.empty()) complaint = fault;
    }
    const std::vector<std::string> offers = split(offer, ',');
    if (std::none_of(offers.begin(), offers.end(),
                     [&](const std::string& one) { return fits(parameters_of(one), given, agreed); })) {
        complaint = "the answer fits none of the offers: " + std::string(answer);
    }
    return agreed;
}

// ---- the listener

struct Listener::Head {
    bool is_last = false;
    int rsv = 0;
    int opcode = 0;
    bool is_masked = false;
    bool is_shortest = true;
    std::uint64_t length = 0;
    std::size_t size = 0;  // of itself
};

#ifdef SAKE_WITH_ZLIB

Listener::Listener(const Agreement& agreement) : agreement_(agreement) {
    if (!agreement.is_on) return;
    auto* const stream = new z_stream();
    inflater_ = stream;
    if (inflateInit2(stream, -std::max(agreement.server_bits, 9)) != Z_OK) complain("no inflater");
}

Listener::~Listener() {
    auto* const stream = static_cast<z_stream*>(inflater_);
    if (stream != nullptr) inflateEnd(stream);
    delete stream;
}

std::string Listener::inflated(std::string_view bytes) {
    std::string in = std::string(bytes) + std::string("\0\0\xff\xff", 4);  // 7.2.2
    std::string out;
    auto& stream = *static_cast<z_stream*>(inflater_);
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    do {
        char room[16384];
        stream.next_out = reinterpret_cast<Bytef*>(room);
        stream.avail_out = sizeof room;
        const int status = inflate(&stream, Z_SYNC_FLUSH);
        if (status != Z_OK && status != Z_BUF_ERROR) {
            complain("a message that cannot be inflated");
            return out;
        }
        out.append(room, sizeof room - stream.avail_out);
    } while (stream.avail_out == 0);
    if (!agreement_.server_keeps_window) inflateReset(&stream);
    return out;
}

#else

Listener::Listener(const Agreement& agreement) : agreement_(agreement) {}
Listener::~Listener() = default;
std::string Listener::inflated(std::string_view bytes) { return std::string(bytes); }

#endif

void Listener::complain(std::string text) {
    if (complaint_.empty()) complaint_ = std::move(text);
}

bool Listener::read_head(Head& head) const {
    if (pending_.size() < 2) return false;
    const auto first = static_cast<unsigned char>(pending_[0]);
    const auto second = static_cast<unsigned char>(pending_[1]);
    head.is_last = (first & 0x80U) != 0;
    head.rsv = static_cast<int>(first >> 4U & 7U);
    head.opcode = static_cast<int>(first & 15U);
    head.is_masked = (second & 0x80U) != 0;
    head.length = second & 0x7FU;
    const std::size_t form = head.length == 126 ? 2 : head.length == 127 ? 8 : 0;
    head.size = 2 + form;
    if (pending_.size() < head.size) return false;
    if (form > 0) head.length = number_at(pending_, 2, form);
    head.is_shortest = form == 0 || head.length >= (form == 2 ? 126U : 65536U);
    return true;
}

// Of a server that sends each message in one frame.
void Listener::check_head(const Head& head) {
    if (head.is_masked) complain("a frame of a server has a mask");
    if (!head.is_last) complain("a message in fragments");
    if (!head.is_shortest) complain("a length that is not in its shortest form");
    const bool is_known = head.opcode == op_text || head.opcode == op_binary ||
                          (head.opcode >= op_close && head.opcode <= op_pong);
    if (!is_known) complain("the opcode " + std::to_string(head.opcode));
    if (head.rsv != 0 && !(head.rsv == 4 && agreement_.is_on && !is_control(head.opcode))) {
        complain("the reserved bits " + std::to_string(head.rsv));
    }
    if (is_control(head.opcode) && head.length > 125) complain("a control frame that is too long");
    if (!frames_.empty() && frames_.back().opcode == op_close) complain("a frame behind the close frame");
}

void Listener::hear(std::string_view bytes) {
    pending_ += bytes;
    Head head;
    while (complaint_.empty() && read_head(head) && pending_.size() - head.size >= head.length) {
        check_head(head);
        const std::string_view data =
            std::string_view(pending_).substr(head.size, static_cast<std::size_t>(head.length));
        frames_.push_back(
            {head.opcode, head.rsv == 4 && agreement_.is_on ? inflated(data) : std::string(data)});
        pending_.erase(0, head.size + data.size());
    }
}

// ---- the judgement

namespace {

// Walks through the replies that have to come. Pongs may be early, and of several pings, the last pong does
// (5.5.3).
class Walk {
  public:
    explicit Walk(const std::vector<Reply>& replies) {
        for (const Reply& each : replies) {
            if (each.opcode == op_pong) {
                pongs_.push_back({&each, messages_.size()});
            } else {
                messages_.push_back(&each);
            }
        }
    }

    std::string step(const Heard& one) { return one.opcode == op_pong ? step_pong(one) : step_message(one); }

    [[nodiscard]] std::string missing() const {
        if (message_ < messages_.size()) return "no echo of message " + std::to_string(message_ + 1);
        if (pong_ < pongs_.size()) return "no pong for ping " + std::to_string(pong_ + 1);
        return {};
    }

  private:
    struct Pong {
        const Reply* reply;
        std::size_t before;  // so many messages
    };

    std::string step_pong(const Heard& one) {
        for (std::size_t i = pong_; i < pongs_.size(); ++i) {
            if (pongs_[i].reply->data != one.data) continue;
            pong_ = i + 1;
            return {};
        }
        return "a pong that no ping asked for: " + shown(one);
    }

    std::string step_message(const Heard& one) {
        if (message_ == messages_.size()) return "too much: " + shown(one);
        const Reply& due = *messages_[message_];
        if (due.opcode != one.opcode || due.data != one.data) {
            return shown(one) + " instead of " + shown({due.opcode, due.data});
        }
        if (pong_ < pongs_.size() && pongs_[pong_].before <= message_) return "a pong comes too late";
        ++message_;
        return {};
    }

    std::vector<const Reply*> messages_;
    std::vector<Pong> pongs_;
    std::size_t message_ = 0;
    std::size_t pong_ = 0;
};

std::string allowed(const std::vector<int>& codes) {
    std::string text;
    for (const int code : codes) text += (text.empty() ? "" : " or ") + std::to_string(code);
    return text;
}

std::string complaint_about_close(const Case& row, const Heard& last) {
    if (last.data.size() == 1) return "a close frame of one byte";
    const int code = last.data.empty() ? 1005 : static_cast<int>(number_at(last.data, 0, 2));
    if (std::find(row.codes.begin(), row.codes.end(), code) == row.codes.end()) {
        return "closed with " + std::to_string(code) + " '" +
               last.data.substr(std::min<std::size_t>(2, last.data.size())) + "' instead of " +
               allowed(row.codes);
    }
    return {};
}

}  // namespace

bool has_all_replies(const Case& row, const std::vector<Heard>& heard) {
    Walk walk(row.replies);
    for (const Heard& one : heard) {
        if (one.opcode == op_close || !walk.step(one).empty()) return true;  // nothing good will follow
    }
    return walk.missing().empty();
}

std::string complaint_about(const Case& row, const Listener& heard) {
    if (!heard.complaint().empty()) return heard.complaint();
    if (heard.pending() > 0) return "half a frame at the end";
    if (heard.frames().empty() || heard.frames().back().opcode != op_close) return "no close frame";
    Walk walk(row.replies);
    for (const Heard& one : heard.frames()) {
        if (one.opcode == op_close) break;
        std::string fault = walk.step(one);
        if (!fault.empty()) return fault;
    }
    std::string fault = complaint_about_close(row, heard.frames().back());
    return fault.empty() ? walk.missing() : fault;
}

}  // namespace harness::ws
