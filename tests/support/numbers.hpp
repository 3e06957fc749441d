// Ranges for the tests of the compute layer: the numbers from 0, as a vector and as a range that can be read
// once only, that is never ready ahead of time, and that may fail.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace harness {

inline std::vector<int> numbers_up_to(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

/// Reading number `failing` throws; afterwards nobody is to touch the range again.
class Numbers {
  public:
    static constexpr int endless = std::numeric_limits<int>::max();

    explicit Numbers(int count, int failing = endless) : count_(count), failing_(failing) {}

    class Iterator {
      public:
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        Iterator() = default;
        explicit Iterator(Numbers& numbers) : numbers_(&numbers) {}
        int operator*() const { return numbers_->read(); }
        Iterator& operator++() {
            numbers_->touch();
            ++numbers_->next_;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.is_at_end(); }

      private:
        [[nodiscard]] bool is_at_end() const { return numbers_->is_at_end(); }
        Numbers* numbers_ = nullptr;
    };

    [[nodiscard]] Iterator begin() { return Iterator(*this); }
    [[nodiscard]] std::default_sentinel_t end() const { return {}; }

    [[nodiscard]] int touched_after_failure() const { return touched_after_failure_; }
    /// How many numbers were read.
    [[nodiscard]] int read_so_far() const { return read_; }

  private:
    void touch() { touched_after_failure_ += has_failed_ ? 1 : 0; }
    bool is_at_end() {
        touch();
        return next_ == count_;
    }
    int read() {
        touch();
        if (next_ == failing_) {
            has_failed_ = true;
            throw std::runtime_error("the range fails");
        }
        ++read_;
        return next_;
    }

    int count_;
    int failing_;
    int next_ = 0;
    int read_ = 0;
    bool has_failed_ = false;
    int touched_after_failure_ = 0;
};

/// A value that moves only, lacks a default, and is counted.
struct Counted {
    explicit Counted(int x) : value(x) { ++alive; }
    Counted(Counted&& other) noexcept : value(other.value) { ++alive; }
    Counted& operator=(Counted&& other) noexcept = default;
    ~Counted() { --alive; }

    int value;
    static inline std::atomic<int> alive = 0;
};

/// Somebody whose copies are counted, for pointers to members as well.
struct Person {
    Person(int years, std::string called) : age(years), name(std::move(called)) {}
    Person(const Person& other) : age(other.age), name(other.name) { ++copies; }
    Person(Person&& other) noexcept = default;
    Person& operator=(const Person&) = delete;
    ~Person() = default;

    [[nodiscard]] bool is_adult() const { return age >= 18; }
    [[nodiscard]] int age_in(int years) const { return age + years; }

    int age;
    std::string name;
    static inline std::atomic<int> copies = 0;
};

/// So many, each a year older than the one before, the first of them just born.
inline std::vector<Person> people_up_to(int count) {
    std::vector<Person> people;
    people.reserve(static_cast<std::size_t>(count));
    for (int age = 0; age < count; ++age) people.emplace_back(age, "person " + std::to_string(age));
    Person::copies = 0;
    return people;
}

/// An item that takes its time, some nanoseconds a round.
inline void compute(int rounds) {
    volatile std::uint64_t x = 1;
    for (int i = 0; i < rounds; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
}

}  // namespace harness
