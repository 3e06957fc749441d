// Ranges: what a Range field asks for, and the texts of the answer.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/dice.hpp"
#include "support/machinery.hpp"

namespace test_range {

using sake::detail::ByteRange;
using sake::detail::content_range;
using sake::detail::MultipartRanges;
using sake::detail::RangeRequest;
using Kind = RangeRequest::Kind;

namespace {

std::vector<ByteRange> ranges_of(std::string_view field, std::uint64_t size) {
    const RangeRequest request = RangeRequest::parse(field, size);
    return {request.ranges().begin(), request.ranges().end()};
}
Kind kind_of(std::string_view field, std::uint64_t size = 1000) {
    return RangeRequest::parse(field, size).kind();
}
std::string many(std::size_t count) {
    std::string field = "bytes=";
    for (std::size_t i = 0; i < count; ++i) {
        field += std::to_string(i * 10) + "-" + std::to_string(i * 10 + 1) + ",";
    }
    return field;
}

}  // namespace

TEST_CASE("a range is from its first to its last byte, to the end, or the last so many bytes") {
    using Ranges = std::vector<ByteRange>;
    CHECK(ranges_of("bytes=0-0", 1000) == Ranges{{0, 0}});
    CHECK(ranges_of("bytes=0-499", 1000) == Ranges{{0, 499}});
    CHECK(ranges_of("bytes=500-", 1000) == Ranges{{500, 999}});
    CHECK(ranges_of("bytes=-500", 1000) == Ranges{{500, 999}});
    CHECK(ranges_of("bytes=-1000", 1000) == Ranges{{0, 999}});
    CHECK(ranges_of("bytes=-1001", 1000) == Ranges{{0, 999}});
    CHECK(ranges_of("bytes=999-999", 1000) == Ranges{{999, 999}});
    CHECK(ranges_of("bytes=999-1000", 1000) == Ranges{{999, 999}});
    CHECK(ranges_of("Bytes=1-2", 1000) == Ranges{{1, 2}});
    CHECK(ranges_of("bytes=, 1-2 ,\t5-6,", 1000) == Ranges{{1, 2}, {5, 6}});
    CHECK(ranges_of("bytes=0-99999999999999999999999999", 1000) == Ranges{{0, 999}});
    CHECK(ranges_of("bytes=-99999999999999999999999999", 1000) == Ranges{{0, 999}});
}

TEST_CASE("ranges are sorted, and those that overlap or touch are joined") {
    using Ranges = std::vector<ByteRange>;
    CHECK(ranges_of("bytes=5-6,0-1", 10) == Ranges{{0, 1}, {5, 6}});
    CHECK(ranges_of("bytes=0-4,3-8", 10) == Ranges{{0, 8}});
    CHECK(ranges_of("bytes=0-4,5-8", 10) == Ranges{{0, 8}});
    CHECK(ranges_of("bytes=0-4,6-8", 10) == Ranges{{0, 4}, {6, 8}});
    CHECK(ranges_of("bytes=0-9,2-3,-1,4-", 10) == Ranges{{0, 9}});
    CHECK(ranges_of("bytes=0-,0-,0-,0-,0-", 10) == Ranges{{0, 9}});
    CHECK(ranges_of("bytes=20-30,0-1", 10) == Ranges{{0, 1}});  // one of them is enough
}

TEST_CASE("a range without a byte of the body is none") {
    CHECK(kind_of("bytes=1000-") == Kind::none);
    CHECK(kind_of("bytes=999-") == Kind::ranges);
    CHECK(kind_of("bytes=1000-2000,5000-") == Kind::none);
    CHECK(kind_of("bytes=-0") == Kind::none);
    CHECK(kind_of("bytes=99999999999999999999999999-") == Kind::none);
    for (const char* const field : {"bytes=0-", "bytes=0-0", "bytes=-1"})
        CHECK(kind_of(field, 0) == Kind::none);
    CHECK(sake::detail::unsatisfied_range(1000) == "bytes */1000");
}

TEST_CASE("a field that is not valid, or of another unit, asks for nothing") {
    for (const char* const field :
         {"",           "bytes",       "bytes=",        "bytes=,",       "bytes=-",    "bytes=a-b",
          "bytes=1",    "bytes=1-0",   "bytes=5-6,9-8", "bytes=1-2,x",   "bytes=--1",  "bytes=1--2",
          "bytes=+1-2", "bytes=0x1-2", "bytes = 0-1",   "bytes =0-1",    "bytes=1 -2", "bytes=1- 2",
          "items=0-1",  "none",        "=0-1",          "bytes=0-1;q=1", "bytes=1.0-2"}) {
        INFO(field);
        CHECK(kind_of(field) == Kind::whole);
    }
}

TEST_CASE("L1 fifteen and sixteen ranges are heeded, seventeen are not") {
    CHECK(ranges_of(many(15), 1000).size() == 15);
    CHECK(ranges_of(many(16), 1000).size() == 16);
    CHECK(kind_of(many(17)) == Kind::whole);
    CHECK(kind_of("bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-") == Kind::whole);
}

TEST_CASE("a field of a megabyte costs little") {
    const auto begun = std::chrono::steady_clock::now();
    for (const char* const piece : {",", "0-,", "-", "9", "0-0 , "}) {
        std::string field = "bytes=";
        while (field.size() < 1'000'000) field += piece;
        static_cast<void>(kind_of(field));
    }
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

TEST_CASE("the ranges that are joined are the bytes that were asked for") {
    harness::Dice dice(17);
    for (int round = 0; round < 5'000; ++round) {
        const std::size_t size = 1 + dice.below(40);
        std::vector<bool> wanted(size, false);
        std::string field = "bytes=";
        const std::size_t count = 1 + dice.below(RangeRequest::most);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t first = dice.below(50);
            const std::size_t last = first + dice.below(10);
            field += (i > 0 ? "," : "") + std::to_string(first) + "-" + std::to_string(last);
            for (std::size_t at = first; at <= last && at < size; ++at) wanted[at] = true;
        }
        INFO(field, " of ", size);
        std::vector<bool> got(size, false);
        std::uint64_t before = 0;
        bool is_first = true;
        for (const ByteRange& range : ranges_of(field, size)) {
            CHECK(range.first <= range.last);
            CHECK((is_first || range.first > before + 1));
            is_first = false;
            before = range.last;
            for (std::uint64_t at = range.first; at <= range.last; ++at) {
                got.at(static_cast<std::size_t>(at)) = true;
            }
        }
        CHECK((got == wanted));
    }
}

TEST_CASE("several ranges have a text before each and one at the end") {
    const MultipartRanges texts{"limit", "text/plain", 1000};
    CHECK(texts.content_type() == "multipart/byteranges; boundary=limit");
    CHECK(texts.before({0, 9}, true) ==
          "--limit\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-9/1000\r\n\r\n");
    CHECK(texts.before({20, 29}, false) ==
          "\r\n--limit\r\nContent-Type: text/plain\r\nContent-Range: bytes 20-29/1000\r\n\r\n");
    CHECK(texts.end() == "\r\n--limit--\r\n");
    CHECK(MultipartRanges{"b", "", 1}.before({0, 0}, true) == "--b\r\nContent-Range: bytes 0-0/1\r\n\r\n");
    CHECK(content_range({0, 18446744073709551613u}, 18446744073709551614u) ==
          "bytes 0-18446744073709551613/18446744073709551614");
}

}  // namespace test_range
