// Boost.Beast's WebSockets in the benchmarks (Debian: libboost-dev): one thread, callbacks, a session for
// each connection; /echo, /topic and /publish as in ws_server.cpp. Beast has no topics: what is published is
// sent to each in a loop.

#include <utility>  // first: Boost 1.74 forgets it and does not compile as C++20 without

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;

namespace {

class Session;
std::unordered_set<Session*> subscribers;

class Session : public std::enable_shared_from_this<Session> {
  public:
    explicit Session(tcp::socket socket) : stream_(std::move(socket)) {
        beast::get_lowest_layer(stream_).set_option(tcp::no_delay(true));
    }
    ~Session() { subscribers.erase(this); }

    void start() {
        auto request = std::make_shared<http::request<http::empty_body>>();
        http::async_read(stream_.next_layer(), buffer_, *request,
                         [self = shared_from_this(), request](beast::error_code error, std::size_t) {
                             if (!error) self->accept(request);
                         });
    }
    /// Sends this after what it sends already.
    void send(std::shared_ptr<const std::string> message) {
        waiting_.push_back(std::move(message));
        if (waiting_.size() == 1) write_next();
    }

  private:
    void accept(const std::shared_ptr<http::request<http::empty_body>>& request) {
        path_ = std::string(request->target());
        stream_.auto_fragment(false);
        stream_.text(true);
        stream_.async_accept(*request, [self = shared_from_this(), request](beast::error_code error) {
            if (error) return;
            if (self->path_ == "/topic") subscribers.insert(self.get());
            self->read();
        });
    }
    void read() {
        stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (!error) self->take();
        });
    }
    void take() {
        if (path_ == "/echo") return echo();
        if (path_ == "/publish") {
            const auto message =
                std::make_shared<const std::string>(beast::buffers_to_string(buffer_.data()));
            for (Session* const each : subscribers) each->send(message);
        }
        buffer_.consume(buffer_.size());
        read();
    }
    void echo() {
        stream_.async_write(buffer_.data(),
                            [self = shared_from_this()](beast::error_code error, std::size_t) {
                                if (error) return;
                                self->buffer_.consume(self->buffer_.size());
                                self->read();
                            });
    }
    void write_next() {
        stream_.async_write(asio::buffer(*waiting_.front()),
                            [self = shared_from_this()](beast::error_code error, std::size_t) {
                                self->waiting_.pop_front();
                                if (!error && !self->waiting_.empty()) self->write_next();
                            });
    }

    websocket::stream<tcp::socket> stream_;
    beast::flat_buffer buffer_;
    std::string path_;
    std::deque<std::shared_ptr<const std::string>> waiting_;
};

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](beast::error_code error, tcp::socket socket) {
        if (!error) std::make_shared<Session>(std::move(socket))->start();
        accept(acceptor);
    });
}

}  // namespace

int main(int argc, char** argv) {
    const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 8080);
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
    accept(acceptor);
    context.run();
}
