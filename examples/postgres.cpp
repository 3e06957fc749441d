// PostgreSQL from coroutines: libpq's non-blocking interface driven by the reactor, and a pool of
// connections. When the database goes, requests get a 503; when it is back, they are answered again.
//
//   apt-get install libpq-dev
//   g++ -std=c++20 -pthread -I../single_include postgres.cpp -o postgres $(pkg-config --cflags --libs libpq)
//   ./postgres 127.0.0.1:8080 "host=/var/run/postgresql dbname=postgres"
//
//   curl 127.0.0.1:8080/square/12     # 200 {"square":144}
//   curl 127.0.0.1:8080/nap/100       # 200 {"napped":100}
//
// `make peers` runs it against a database of its own, and kills that.

#include <libpq-fe.h>

#include <chrono>
#include <concepts>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake.hpp"

using namespace std::chrono_literals;

struct DatabaseError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One connection, on which one query at a time may run.
class Connection {
  public:
    // libpq looks host names up while it holds the thread: give it an address, or a Unix socket.
    static sake::Task<Connection> open(std::string where) {
        Connection made(PQconnectStart(where.c_str()));
        for (;;) {
            made.check(PQstatus(made.get()) != CONNECTION_BAD);
            const PostgresPollingStatusType next = PQconnectPoll(made.get());
            made.check(next != PGRES_POLLING_FAILED);
            if (next == PGRES_POLLING_OK) break;
            if (next == PGRES_POLLING_READING) co_await sake::readable(made.socket(), 5s);
            if (next == PGRES_POLLING_WRITING) co_await sake::writable(made.socket(), 5s);
        }
        made.check(PQsetnonblocking(made.get(), 1) == 0);
        co_return std::move(made);
    }

    /// Runs a statement with the values of $1, $2 and so on. Returns the first value of its first row, or "".
    template <std::same_as<std::string>... Parameters>
    sake::Task<std::string> value_of(std::string sql, Parameters... parameters) {
        const char* const values[] = {parameters.c_str()..., nullptr};
        const int count = sizeof...(parameters);
        check(PQsendQueryParams(get(), sql.c_str(), count, nullptr, values, nullptr, nullptr, 0) == 1);
        co_await flush();
        std::string value;
        std::string failure;
        for (;;) {
            while (PQisBusy(get()) == 1) {
                co_await sake::readable(socket());
                check(PQconsumeInput(get()) == 1);
            }
            const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(get()), PQclear);
            if (result == nullptr) break;
            if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) failure = PQresultErrorMessage(result.get());
            if (PQntuples(result.get()) > 0) value = PQgetvalue(result.get(), 0, 0);
        }
        if (!failure.empty()) throw DatabaseError(failure);
        co_return value;
    }

    /// Whether the server is still there: what comes on a connection that nobody uses is its farewell.
    bool is_healthy() const { return PQstatus(get()) == CONNECTION_OK && !sake::is_readable(socket()); }

  private:
    explicit Connection(PGconn* connection) : connection_(connection, PQfinish) {}

    PGconn* get() const { return connection_.get(); }
    int socket() const { return PQsocket(get()); }
    void check(bool is_well) const {
        if (!is_well) throw DatabaseError(PQerrorMessage(get()));
    }

    // The server may want us to read before it reads on.
    sake::Task<> flush() {
        for (;;) {
            const int left = PQflush(get());
            check(left >= 0);
            if (left == 0) co_return;
            co_await sake::when_any(sake::readable(socket()), sake::writable(socket()));
            check(PQconsumeInput(get()) == 1);
        }
    }

    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

using Database = sake::Pool<Connection>;

sake::Task<std::string> ask(Database& database, std::string sql, std::string parameter) {
    auto connection = co_await database.acquire();
    co_return co_await connection->value_of(sql, parameter);
}

int main(int argc, char** argv) {
    const std::string where = argc > 2 ? argv[2] : "host=/var/run/postgresql dbname=postgres";
    const auto connect = [where] { return Connection::open(where); };
    Database database({.max_size = 20, .acquire_timeout = 2s}, connect,
                      [](const Connection& c) { return c.is_healthy(); });

    sake::Engine app;

    // Whatever a route throws of the database becomes one answer. The connection that it had is gone by then.
    app.on_error([](sake::Context& ctx, const std::exception& error) {
        const bool is_database = dynamic_cast<const DatabaseError*>(&error) != nullptr;
        const bool is_overload = dynamic_cast<const sake::TimedOut*>(&error) != nullptr;
        if (!is_database && !is_overload) return;
        ctx.set_header("Retry-After", "1").json(503, {{"error", "the database does not answer"}});
    });

    app.get("/square/:n", [&](int n) -> sake::Task<sake::Json> {
        const std::string square =
            co_await ask(database, "select $1::bigint * $1::bigint", std::to_string(n));
        co_return sake::Json{{"square", std::stoll(square)}};
    });
    app.get("/nap/:ms", [&](unsigned ms) -> sake::Task<sake::Json> {
        co_await ask(database, "select pg_sleep($1::float / 1000)::text", std::to_string(ms));
        co_return sake::Json{{"napped", ms}};
    });

    // What it costs to connect for each request.
    app.get("/unpooled/:n", [&](int n) -> sake::Task<sake::Json> {
        Connection connection = co_await Connection::open(where);
        const std::string square =
            co_await connection.value_of("select $1::bigint * $1::bigint", std::to_string(n));
        co_return sake::Json{{"square", std::stoll(square)}};
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
