// Many requests asleep at once: opens CONNECTIONS connections, sends one request on each, and tells when the
// answers came. It stops at two points for whoever measures the server: it prints a line and reads a line.
//
//     sleepers PORT PATH CONNECTIONS
//
//     prints "connected" -> waits for a line -> sends every request, collects every answer
//     prints one line of JSON -> waits for a line -> closes

#include "connection.hpp"

namespace {

using namespace bench;

class Sleepers {
  public:
    Sleepers(const Target& target, std::uint32_t count) : question_(target), crowd_(target.port, count) {}

    void connect_all();
    void ask_all();
    void print() const;

  private:
    void note(std::size_t index, bool lives);

    Question question_;
    Crowd crowd_;
    Tally tally_;
    std::uint64_t errors_ = 0;  // sleepers that will have no answer
    std::uint64_t closed_ = 0;  // by the server, after the answer
    std::uint64_t begin_ = 0;
    std::uint64_t all_sent_ = 0;
    std::uint64_t first_answer_ = 0;
    std::uint64_t last_answer_ = 0;
    double connecting_ms_ = 0;
};

double ms_between(std::uint64_t from, std::uint64_t to) {
    return to < from ? 0 : static_cast<double>(to - from) / 1e6;
}

void Sleepers::connect_all() {
    const std::uint64_t begin = now_ns();
    crowd_.connect_all(question_, tally_);
    connecting_ms_ = ms_between(begin, now_ns());
}

void Sleepers::ask_all() {
    begin_ = now_ns();
    for (std::size_t i = 0; i < crowd_.size(); ++i) {
        if (!crowd_[i].ask(question_, tally_, now_ns())) note(i, false);
    }
    all_sent_ = now_ns();
    const std::uint64_t deadline = begin_ + 60'000'000'000;
    while (tally_.answered + errors_ < crowd_.size() && now_ns() < deadline) {
        crowd_.turn(deadline, question_, tally_,
                    [this](std::size_t index, bool lives) { note(index, lives); });
    }
    errors_ = crowd_.size() - tally_.answered;
}

void Sleepers::note(std::size_t index, bool lives) {
    if (!lives) {
        ++(crowd_[index].under_way().empty() ? closed_ : errors_);
        crowd_.lose(index);
    } else if (tally_.answered > 0 && crowd_[index].under_way().empty()) {
        last_answer_ = now_ns();
        if (first_answer_ == 0) first_answer_ = last_answer_;
    }
}

void Sleepers::print() const {
    std::printf(
        "{\"connections\": %zu, \"answered\": %llu, \"errors\": %llu, \"connecting_ms\": %.0f, "
        "\"sending_ms\": %.0f, \"first_answer_ms\": %.0f, \"last_answer_ms\": %.0f}\n",
        crowd_.size(), static_cast<unsigned long long>(tally_.answered),
        static_cast<unsigned long long>(errors_ + closed_), connecting_ms_, ms_between(begin_, all_sent_),
        ms_between(begin_, first_answer_), ms_between(begin_, last_answer_));
}

void await_line() {
    std::fflush(stdout);
    for (int c = std::getchar(); c != '\n' && c != EOF;) c = std::getchar();
}

}  // namespace

int main(int argc, char** argv) {
    const Target target = target_of(argc, argv, 3, 3, "sleepers PORT PATH CONNECTIONS");
    raise_open_files();
    Sleepers sleepers(target, argument(argv[3], 1, 60000));
    sleepers.connect_all();
    std::puts("connected");
    await_line();
    sleepers.ask_all();
    sleepers.print();
    await_line();
}
