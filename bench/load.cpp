// A light load client: one thread, one epoll, a fixed request. Each connection keeps PIPELINE requests under
// way and replaces those answered at once, so it asks as fast as it is answered (a closed loop: the latencies
// are those of a saturated server and say nothing of a paced one). It does so for some time before it counts,
// and a request that has no answer at the end counts among the latencies with its age. With SERVER, a
// process, it reads that one's CPU clock when the counting begins and ends. One line of JSON goes to standard
// output.
//
//     load PORT PATH CONNECTIONS PIPELINE SECONDS [BODY [SERVER]]       POSTs of BODY bytes instead of GETs

#include "connection.hpp"

namespace {

using namespace bench;

struct Options {
    Target target;
    std::uint32_t connections;
    std::uint32_t pipeline;
    std::uint32_t seconds;
    std::uint32_t body;
    pid_t server;
};

class Load {
  public:
    explicit Load(Options options)
        : options_(std::move(options)),
          question_(options_.target, options_.body, options_.pipeline),
          crowd_(options_.target.port, options_.connections) {}

    void run();

  private:
    void turn_until(std::uint64_t deadline);
    void follow_up(std::size_t index, bool lives);
    void ask(std::size_t index, std::uint64_t count);
    void print(const Clocks& begin, const Clocks& end) const;

    static constexpr std::uint64_t lead_ns = 200'000'000;

    Options options_;
    Question question_;
    Crowd crowd_;
    Tally tally_;
};

void Load::run() {
    crowd_.connect_all(question_, tally_);
    for (std::size_t i = 0; i < crowd_.size(); ++i) ask(i, options_.pipeline);
    turn_until(now_ns() + lead_ns);
    tally_ = {};
    const Clocks begin(options_.server);
    turn_until(begin.time + std::uint64_t{options_.seconds} * 1'000'000'000);
    const Clocks end(options_.server);
    for (const Connection& connection : crowd_) {
        for (const std::uint64_t asked : connection.under_way()) tally_.latencies.add(end.time - asked, 1);
    }
    print(begin, end);
}

void Load::turn_until(std::uint64_t deadline) {
    while (now_ns() < deadline) {
        crowd_.turn(deadline, question_, tally_,
                    [this](std::size_t index, bool lives) { follow_up(index, lives); });
    }
}

// As many more as have been answered; all of them on a new connection.
void Load::follow_up(std::size_t index, bool lives) {
    if (!lives) {
        crowd_.lose(index);
        crowd_.open(index);
    } else if (crowd_[index].is_connected()) {
        ask(index, options_.pipeline - crowd_[index].under_way().size());
    }
}

void Load::ask(std::size_t index, std::uint64_t count) {
    if (count > 0 && !crowd_[index].ask(question_, tally_, now_ns(), count)) follow_up(index, false);
}

void Load::print(const Clocks& begin, const Clocks& end) const {
    const double seconds = static_cast<double>(end.time - begin.time) / 1e9;
    std::printf(
        "{\"requests\": %llu, \"seconds\": %.3f, \"requests_per_second\": %.0f, \"p50_us\": %.1f, "
        "\"p99_us\": %.1f, \"errors\": %llu, \"connections\": %u, \"pipeline\": %u, \"answer_bytes\": %zu, "
        "\"sent_bytes\": %llu, \"received_bytes\": %llu, \"client_cpu_seconds\": %.6f, "
        "\"server_cpu_seconds\": %.6f}\n",
        static_cast<unsigned long long>(tally_.answered), seconds,
        static_cast<double>(tally_.answered) / seconds, tally_.latencies.percentile_us(0.5),
        tally_.latencies.percentile_us(0.99), static_cast<unsigned long long>(crowd_.errors()),
        options_.connections, options_.pipeline, question_.answer_size,
        static_cast<unsigned long long>(tally_.sent_bytes),
        static_cast<unsigned long long>(tally_.received_bytes), end.client - begin.client,
        end.server - begin.server);
}

}  // namespace

int main(int argc, char** argv) {
    Target target =
        target_of(argc, argv, 5, 7, "load PORT PATH CONNECTIONS PIPELINE SECONDS [BODY [SERVER]]");
    raise_open_files();
    Load({std::move(target), argument(argv[3], 1, 60000), argument(argv[4], 1, 1024),
          argument(argv[5], 1, 3600), argc > 6 ? argument(argv[6], 0, 1u << 30) : 0,
          argc > 7 ? static_cast<pid_t>(argument(argv[7], 1, 1u << 30)) : 0})
        .run();
}
