// A chat over WebSockets: rooms, with what was said last and who is there. chat_page.hpp is what a browser
// shows of it. There is no login: a visitor who types Ann is Ann.
//
//   g++ -std=c++20 -O2 -I../single_include chat.cpp -o chat -pthread && ./chat
//
// Open http://127.0.0.1:8080/#kitchen in two windows. Or:
//
//   curl 127.0.0.1:8080/                            # 200 <!doctype html>...<title>Chat</title>...
//   curl 127.0.0.1:8080/rooms/kitchen?name=Ann      # 426 {...this is a WebSocket...}
//     # Upgrade: websocket
//
// With the fields of a handshake, the answer is 101, and messages come behind it. Until then it is a request
// as any other, which may be refused:
//
//   curl -m 0.5 -H Connection:Upgrade -H Upgrade:websocket -H Sec-WebSocket-Version:13
//       -H Sec-WebSocket-Key:c2FrZSBzYWtlIHNha2UgIQ== 127.0.0.1:8080/rooms/kitchen?name=Ann
//     # 101 ...{"here":["Ann"]}...
//   curl 127.0.0.1:8080/rooms/a-very-small-kitchen!?name=Ann    # 404 {..."detail":"the name of a room...
//
// `make peers` drives it by Chromium.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "chat_page.hpp"
#include "sake.hpp"

namespace {

using namespace std::chrono_literals;

struct Visitor {  // the query of a handshake: ?name=Ann
    std::string name;
};

// What a page is sent, as JSON.
struct Line {
    std::int64_t id;  // grows from line to line, also over a restart, and says when: microseconds since 1970
    std::string name;
    std::string text;
};
struct People {
    std::vector<std::string> here;
};
struct Warning {
    std::string warning;
};

}  // namespace

template <>
inline constexpr auto sake::rules<Visitor> = sake::fields(sake::length(&Visitor::name, 1, 20));

namespace {

/// All rooms. Handlers of WebSockets run on one thread, so there is nothing to lock.
class Chat {
  public:
    /// A topic of each hub is a room. A newcomer is sent what they keep, and then what is new.
    sake::Hub lines{{.messages = 50}};
    sake::Hub people{{.messages = 1}};  // only the newest list of a room counts

    /// Each visitor of a room is told of all others, so there is a limit.
    [[nodiscard]] bool is_full(const std::string& room) const {
        const auto found = rooms_.find(room);
        return found != rooms_.end() && found->second.size() >= 100;
    }
    void enter(const std::string& room, const std::string& name) {
        rooms_[room].insert(name);
        tell_who_is_there(room);
    }
    void leave(const std::string& room, const std::string& name) {
        auto& names = rooms_[room];
        names.erase(names.find(name));  // one of those with this name
        tell_who_is_there(room);
        if (names.empty()) rooms_.erase(room);
    }
    void say(const std::string& room, const std::string& name, const std::string& text) {
        const auto since_1970 = sake::wall_now().time_since_epoch();
        const auto time = std::chrono::duration_cast<std::chrono::microseconds>(since_1970);
        last_id_ = std::max<std::int64_t>(last_id_ + 1, time.count());
        lines.publish(room, Line{last_id_, name, text});
    }

  private:
    void tell_who_is_there(const std::string& room) {
        const auto& names = rooms_[room];
        people.publish(room, People{{names.begin(), names.end()}});
    }

    std::map<std::string, std::multiset<std::string>> rooms_;
    std::int64_t last_id_ = 0;
};

/// A visitor's place in a room. A handler may end by a close, a lost connection, an exception or a stop: the
/// destructor runs in each case.
class Seat {
  public:
    Seat(Chat& chat, std::string room, std::string name)
        : chat_(chat), room_(std::move(room)), name_(std::move(name)) {
        chat_.enter(room_, name_);
    }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    ~Seat() { chat_.leave(room_, name_); }

    void say(const std::string& text) const { chat_.say(room_, name_, text); }

  private:
    Chat& chat_;
    const std::string room_, name_;
};

/// What one connection may send: 10 messages in 5 seconds.
class Pace {
  public:
    Pace() { times_.fill(sake::now() - period); }
    /// Whether one more message is within the limit. If so, it counts.
    [[nodiscard]] bool allows_one_more() {
        const auto now = sake::now();
        auto& oldest = times_[next_];
        if (now - oldest < period) return false;
        oldest = now;
        next_ = (next_ + 1) % times_.size();
        return true;
    }

  private:
    static constexpr auto period = 5s;
    std::array<std::chrono::steady_clock::time_point, 10> times_;  // of the last messages, in a ring
    std::size_t next_ = 0;
};

void check_room(sake::Context& ctx) {
    if (ctx.param("room").size() > 20) throw sake::HttpError(404, "the name of a room has at most 20 bytes");
}

sake::Task<> talk(sake::WebSocket& ws, const Seat& seat) {
    Pace pace;
    bool is_warned = false;
    while (const auto message = co_await ws.receive()) {
        if (!message->is_text) {
            co_await ws.close(1003, "messages are text");
        } else if (pace.allows_one_more()) {
            seat.say(message->data);
            is_warned = false;
        } else if (is_warned) {
            co_await ws.close(1008, "more than 10 messages in 5 seconds");
        } else {
            const std::string warning =
                sake::dump_json(Warning{"Not so fast: the last message was dropped."});
            co_await ws.send(warning);
            is_warned = true;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    Chat chat;
    sake::Engine app;

    // Its policy allows a page the scripts, styles and WebSockets of this server, and no others.
    app.use(sake::middleware::security_headers());
    app.static_files(
        "/",
        sake::embed({{"index.html", page}, {"chat.css", style}, {"chat.js", script}, {"icon.svg", icon}}));

    const auto visit = [&chat](sake::WebSocket& ws, std::string room,
                               sake::Query<Visitor> visitor) -> sake::Task<> {
        if (chat.is_full(room)) {  // a page never sees the answer to a handshake, but it sees a close
            co_await ws.close(1013, "this room is full");
            co_return;
        }
        const Seat seat(chat, room, visitor->name);
        constexpr std::uint64_t before_all = 1;  // an id below those of every hub
        ws.subscribe(chat.lines, room, before_all);
        ws.subscribe(chat.people, room, before_all);
        co_await talk(ws, seat);
    };
    app.ws("/rooms/:room", visit, {.max_message = 2048}).use(check_room);

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
