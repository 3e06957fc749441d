// SHA-1 against digests that were made elsewhere: those of FIPS 180, and around the ends of a block.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_sha1 {

namespace {

std::string hex_digest(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : sake::detail::Sha1::digest(text)) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte / 16];
        hex += digits[byte % 16];
    }
    return hex;
}

}  // namespace

TEST_CASE("the digests of SHA-1 are those of the standard") {
    CHECK(hex_digest("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK(hex_digest("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(hex_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(hex_digest(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST_CASE("a text that ends around the end of a block has the right digest of SHA-1") {
    const auto of_so_many = [](std::size_t size) { return hex_digest(std::string(size, 'a')); };
    CHECK(of_so_many(55) == "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    CHECK(of_so_many(56) == "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    CHECK(of_so_many(63) == "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    CHECK(of_so_many(64) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    CHECK(of_so_many(65) == "11655326c708d70319be2610e8a57d9a5b959d3b");
    CHECK(of_so_many(119) == "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56");
    CHECK(of_so_many(120) == "f34c1488385346a55709ba056ddd08280dd4c6d6");
}

}  // namespace test_sha1
