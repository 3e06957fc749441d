// The operators themselves. Counters are relaxed atomics: they order nothing between threads, and so hide no
// race from ThreadSanitizer.
#include "allocations.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#include "faults.hpp"

namespace harness::allocations {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

struct Header {
    std::size_t size;      // as requested
    std::uint32_t owner;   // one of the two marks below; anything else is no block of ours
    std::uint32_t offset;  // from what malloc returned to what the caller got
};
static_assert(sizeof(Header) == 16);
constexpr std::uint32_t counted_mark = 0x5A4B0001;
constexpr std::uint32_t exempt_mark = 0x5A4B0002;

constinit std::atomic<std::int64_t> blocks{0};
constinit std::atomic<std::int64_t> bytes{0};
constinit std::atomic<std::uint64_t> made{0};
constinit std::atomic<std::uint64_t> made_by_servers{0};
constinit thread_local std::uint64_t made_here = 0;
constinit thread_local int exempt_depth = 0;

struct Failure {
    std::atomic<bool> armed{false};
    std::atomic<std::uint64_t> first{0};
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> seen{0};
    std::atomic<std::uint64_t> fired{0};
};
constinit Failure failure;

[[noreturn]] void die(const char* message) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message, std::strlen(message));
    std::abort();
}

bool fails_now() noexcept {
    if (!failure.armed.load(std::memory_order_acquire)) return false;
    const std::uint64_t number = failure.seen.fetch_add(1, relaxed) + 1;
    const std::uint64_t first = failure.first.load(relaxed);
    if (number < first || number - first >= failure.count.load(relaxed)) return false;
    failure.fired.fetch_add(1, relaxed);
    return true;
}

bool count_allocation(bool exempt) noexcept {
    made.fetch_add(1, relaxed);
    ++made_here;
    if (exempt || !faults::this_thread_is_included()) return true;
    made_by_servers.fetch_add(1, relaxed);
    return !fails_now();
}

void* allocate(std::size_t size, std::size_t alignment = 0) noexcept {
    const bool exempt = exempt_depth > 0;
    if (!count_allocation(exempt)) return nullptr;
    const std::size_t offset = alignment > sizeof(Header) ? alignment : sizeof(Header);
    if (size > SIZE_MAX - offset) return nullptr;
    void* raw = nullptr;
    if (offset == sizeof(Header)) {
        raw = std::malloc(size + offset);
    } else if (::posix_memalign(&raw, alignment, size + offset) != 0) {
        return nullptr;
    }
    if (raw == nullptr) return nullptr;
    char* block = static_cast<char*>(raw) + offset;
    ::new (block - sizeof(Header))
        Header{size, exempt ? exempt_mark : counted_mark, static_cast<std::uint32_t>(offset)};
    if (!exempt) {
        blocks.fetch_add(1, relaxed);
        bytes.fetch_add(static_cast<std::int64_t>(size), relaxed);
    }
    return block;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment = 0) {
    void* block = allocate(size, alignment);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

constexpr std::size_t unknown_size = SIZE_MAX;

void release(void* block, std::size_t size = unknown_size) noexcept {
    if (block == nullptr) return;
    auto* header = reinterpret_cast<Header*>(static_cast<char*>(block) - sizeof(Header));
    const Header copy = *header;
    if (copy.owner != counted_mark && copy.owner != exempt_mark) die("\ndelete of what new did not make\n");
    if (size != unknown_size && size != copy.size) die("\nsized delete with the wrong size\n");
    header->owner = 0;
    if (copy.owner == counted_mark) {
        blocks.fetch_sub(1, relaxed);
        bytes.fetch_sub(static_cast<std::int64_t>(copy.size), relaxed);
    }
    std::free(static_cast<char*>(block) - copy.offset);
}

}  // namespace

std::int64_t live_blocks() noexcept { return blocks.load(relaxed); }
std::int64_t live_bytes() noexcept { return bytes.load(relaxed); }
void pages_changed(std::size_t before, std::size_t after) noexcept {
    blocks.fetch_add((after != 0 ? 1 : 0) - (before != 0 ? 1 : 0), relaxed);
    bytes.fetch_add(static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before), relaxed);
}
std::uint64_t total() noexcept { return made.load(relaxed); }
std::uint64_t by_this_thread() noexcept { return made_here; }
std::uint64_t by_server_threads() noexcept { return made_by_servers.load(relaxed); }

Exempt::Exempt() noexcept { ++exempt_depth; }
Exempt::~Exempt() { --exempt_depth; }

ScopedFailure::ScopedFailure(std::uint64_t n, std::uint64_t count) {
    if (n == 0) throw std::invalid_argument("allocations are numbered from 1");
    if (failure.armed.load(relaxed)) throw std::logic_error("an allocation failure is armed already");
    failure.first.store(n, relaxed);
    failure.count.store(count, relaxed);
    failure.seen.store(0, relaxed);
    failure.fired.store(0, relaxed);
    failure.armed.store(true, std::memory_order_release);
}

ScopedFailure::~ScopedFailure() { failure.armed.store(false, relaxed); }
bool ScopedFailure::fired() const noexcept { return failure.fired.load(relaxed) > 0; }
std::uint64_t ScopedFailure::seen() const noexcept { return failure.seen.load(relaxed); }

}  // namespace harness::allocations

namespace ours = harness::allocations;

void* operator new(std::size_t size) { return ours::allocate_or_throw(size); }
void* operator new[](std::size_t size) { return ours::allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return ours::allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return ours::allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return ours::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return ours::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return ours::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return ours::allocate(size, static_cast<std::size_t>(alignment));
}

void operator delete(void* block) noexcept { ours::release(block); }
void operator delete[](void* block) noexcept { ours::release(block); }
void operator delete(void* block, std::size_t size) noexcept { ours::release(block, size); }
void operator delete[](void* block, std::size_t size) noexcept { ours::release(block, size); }
void operator delete(void* block, const std::nothrow_t&) noexcept { ours::release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { ours::release(block); }
void operator delete(void* block, std::align_val_t) noexcept { ours::release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { ours::release(block); }
void operator delete(void* block, std::size_t size, std::align_val_t) noexcept { ours::release(block, size); }
void operator delete[](void* block, std::size_t size, std::align_val_t) noexcept {
    ours::release(block, size);
}
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept { ours::release(block); }
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
    ours::release(block);
}
