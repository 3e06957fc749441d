#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/allocations.hpp"

namespace test_byte_buffer {

using harness::allocations::live_blocks;
using harness::allocations::total;
using sake::detail::ByteBuffer;

TEST_CASE("a new byte buffer is empty and has no memory") {
    const auto before = live_blocks();
    ByteBuffer buffer;
    CHECK(buffer.empty());
    CHECK(buffer.size() == 0);
    CHECK(buffer.view() == "");
    buffer.append("").append(std::string_view());
    buffer.clear();
    CHECK(buffer.empty());
    CHECK(live_blocks() == before);
}

TEST_CASE("bytes gather in order, in one piece, whatever they are") {
    ByteBuffer buffer;
    std::string expected;
    for (std::size_t size = 0; size < 300; ++size) {
        const std::string piece(size, static_cast<char>(size));
        buffer.append(piece);
        expected += piece;
        REQUIRE(buffer.size() == expected.size());
    }
    CHECK((buffer.view() == expected));
    CHECK_FALSE(buffer.empty());
}

TEST_CASE("room is written in place, and only what is kept counts") {
    ByteBuffer buffer;
    buffer.append("head ");
    char* const place = buffer.make_room(100);
    CHECK(buffer.view() == "head ");
    std::memcpy(place, "written and more", 16);
    buffer.end_at(place + 7);
    CHECK(buffer.view() == "head written");
    CHECK(buffer.make_room(1) == place + 7);
    buffer.end_at(place + 7);
    buffer.append("!");
    CHECK(buffer.view() == "head written!");
}

TEST_CASE("room of exactly what is left moves nothing, one byte more does") {
    ByteBuffer buffer;
    buffer.reserve(10);
    buffer.append("123456");
    const auto before = total();
    const char* const begin = buffer.view().data();
    char* const place = buffer.make_room(4);
    CHECK(place == begin + 6);
    std::memcpy(place, "7890", 4);
    buffer.end_at(place + 4);
    CHECK(total() == before);
    CHECK(buffer.view().data() == begin);
    buffer.append("x");
    CHECK(total() == before + 1);
    CHECK(buffer.view() == "1234567890x");
}

TEST_CASE("a buffer that is emptied keeps its memory, and reserve never shrinks it") {
    ByteBuffer buffer;
    buffer.append(std::string(1000, 'a'));
    const auto before = total();
    for (int i = 0; i < 10; ++i) {
        buffer.clear();
        CHECK(buffer.empty());
        buffer.reserve(10);
        buffer.reserve(1000);
        buffer.append(std::string_view("short")).append(std::string_view("text"));
        CHECK(buffer.view() == "shorttext");
    }
    CHECK(total() == before);
    buffer.reserve(1001);
    CHECK(total() == before + 1);
    CHECK(buffer.view() == "shorttext");
}

TEST_CASE("bytes that trickle in cost few allocations") {
    ByteBuffer buffer;
    const auto before = total();
    for (int i = 0; i < 100'000; ++i) buffer.append("x");
    CHECK(total() - before < 20);
    CHECK(buffer.size() == 100'000);
}

}  // namespace test_byte_buffer
