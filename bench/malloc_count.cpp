// Counts what a server holds on its heap, for LD_PRELOAD: the bytes that glibc set apart for blocks which are
// not freed, and how many blocks. The two numbers are in a file that is mapped into memory, so that whoever
// measures reads them without asking the server.
//
//     LD_PRELOAD=malloc_count MALLOC_COUNT=file server

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

struct Counts {
    std::atomic<std::int64_t> bytes;
    std::atomic<std::int64_t> blocks;
};

Counts unseen;
Counts* counts = &unseen;

constexpr std::size_t block_header = sizeof(std::size_t);

void* counted(void* block, int sign = 1) {
    if (block == nullptr) return block;
    const auto size = static_cast<std::int64_t>(malloc_usable_size(block) + block_header);
    counts->bytes.fetch_add(sign * size, std::memory_order_relaxed);
    counts->blocks.fetch_add(sign, std::memory_order_relaxed);
    return block;
}

__attribute__((constructor)) void map_counts() {
    const char* name = ::getenv("MALLOC_COUNT");
    if (name == nullptr) return;
    const int fd = ::open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, sizeof(Counts)) != 0) ::_exit(1);
    void* mapped = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (mapped != MAP_FAILED) counts = static_cast<Counts*>(mapped);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) { return counted(__libc_malloc(size)); }

void* calloc(std::size_t count, std::size_t size) { return counted(__libc_calloc(count, size)); }

void* realloc(void* block, std::size_t size) {
    counted(block, -1);
    void* moved = __libc_realloc(block, size);
    if (moved == nullptr && size > 0) counted(block);  // it is still there
    return counted(moved);
}

void free(void* block) {
    counted(block, -1);
    __libc_free(block);
}

void* memalign(std::size_t alignment, std::size_t size) { return counted(__libc_memalign(alignment, size)); }

void* aligned_alloc(std::size_t alignment, std::size_t size) {
    return counted(__libc_memalign(alignment, size));
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
    *block = counted(__libc_memalign(alignment, size));
    return *block == nullptr ? ENOMEM : 0;
}
}
