// Boost.Beast's program in the benchmarks (Debian: libboost-dev): one thread, callbacks, one session a
// connection. Beast has no router and adds no Date, so the paths are compared by hand and its answers are 37
// bytes shorter.

#include <utility>  // first: Boost 1.74 forgets it and does not compile as C++20 without

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

bool is_route(std::string_view path) {
    static const std::unordered_set<std::string> routes = [] {
        std::unordered_set<std::string> all;
        for (int i = 1; i <= 100; ++i) all.insert("/route/" + std::to_string(i));
        return all;
    }();
    return routes.count(std::string(path)) != 0;
}

class Session : public std::enable_shared_from_this<Session> {
  public:
    explicit Session(tcp::socket socket) : stream_(std::move(socket)) {
        stream_.socket().set_option(tcp::no_delay(true));
    }

    void read() {
        request_ = {};
        http::async_read(stream_, buffer_, request_,
                         [self = shared_from_this()](beast::error_code error, std::size_t) {
                             if (!error) self->answer();
                         });
    }

  private:
    void answer() {
        const std::string_view path(request_.target().data(), request_.target().size());
        constexpr std::string_view user = "/user/";
        response_ = {http::status::ok, request_.version()};
        response_.set(http::field::content_type, "text/plain; charset=utf-8");
        if (path == "/" || is_route(path)) {
            response_.body() = "Hello, World!";
        } else if (path == "/json") {
            response_.set(http::field::content_type, "application/json");
            response_.body() = R"({"message":"Hello, World!"})";
        } else if (path == "/echo") {
            response_.body() = std::move(request_.body());
        } else if (path == "/files/mebibyte") {
            return send_file();
        } else if (path.substr(0, user.size()) == user) {
            response_.body() = path.substr(user.size());
        } else {
            response_.result(http::status::not_found);
        }
        send(response_);
    }

    void send_file() {
        beast::error_code error;
        file_ = {http::status::ok, request_.version()};
        file_.set(http::field::content_type, "application/octet-stream");
        file_.body().open(std::getenv("MEBIBYTE"), beast::file_mode::scan, error);
        if (!error) send(file_);
    }

    template <class Response>
    void send(Response& response) {
        response.keep_alive(request_.keep_alive());
        response.prepare_payload();
        http::async_write(stream_, response,
                          [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (!error && self->request_.keep_alive()) self->read();
                          });
    }

    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    http::request<http::string_body> request_;
    http::response<http::string_body> response_;
    http::response<http::file_body> file_;
};

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](beast::error_code error, tcp::socket socket) {
        if (!error) std::make_shared<Session>(std::move(socket))->read();
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
