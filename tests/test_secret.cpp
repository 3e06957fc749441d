// equal_in_constant_time: what is equal. How long it takes is not measured here: that would fail by chance.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "sake.hpp"

namespace test_secret {

using sake::equal_in_constant_time;

TEST_CASE("a secret is equal to itself alone") {
    const std::string_view texts[] = {"",       "a",       "b",        "A",        "aa",          "ab",
                                      "ba",     "secret",  "secreT",   "Secret",   "secre",       "secrets",
                                      "sécret", "secret ", " secret ", "\xff\xfe", "secretsecret"};
    for (const std::string_view sent : texts) {
        for (const std::string_view secret : texts) {
            CAPTURE(sent);
            CAPTURE(secret);
            CHECK(equal_in_constant_time(sent, secret) == (sent == secret && !secret.empty()));
        }
    }
}

TEST_CASE("an empty secret is one that nobody has set, and nothing equals it") {
    CHECK_FALSE(equal_in_constant_time("", ""));
    CHECK_FALSE(equal_in_constant_time("a", ""));
}

TEST_CASE("bytes of 0 count like all others when secrets are compared") {
    using namespace std::string_literals;
    CHECK(equal_in_constant_time("a\0b"s, "a\0b"s));
    CHECK_FALSE(equal_in_constant_time("a\0b"s, "a\0c"s));
    CHECK_FALSE(equal_in_constant_time("\0"s, ""s));
    CHECK_FALSE(equal_in_constant_time(""s, "\0"s));
    CHECK_FALSE(equal_in_constant_time("\0\0"s, "\0"s));
}

TEST_CASE("every bit of a secret counts") {
    const std::string secret(33, '\x55');
    for (std::size_t at = 0; at < secret.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string sent = secret;
            sent[at] = static_cast<char>(static_cast<unsigned char>(sent[at]) ^ (1U << bit));
            CHECK_FALSE(equal_in_constant_time(sent, secret));
        }
    }
}

}  // namespace test_secret
