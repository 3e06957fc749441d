#include <doctest/doctest.h>

#include <string_view>

#include "sake.hpp"

namespace test_message {

namespace http = sake::http;

TEST_CASE("methods and their names map onto each other") {
    using enum sake::detail::Method;
    for (const auto method : {get, head, post, put, patch, del, options, connect, trace}) {
        CAPTURE(sake::detail::to_string(method));
        CHECK(sake::detail::method_from(sake::detail::to_string(method)) == method);
    }
    CHECK(sake::detail::to_string(del) == "DELETE");
    CHECK(sake::detail::to_string(other).empty());
}

TEST_CASE("method names are case-sensitive and whole") {
    for (const std::string_view name : {"get", "Get", "GE", "GETS", "", "PURGE", "DELETED", "OPTION",
                                        "PROPFIND", "POSt", "PATCh", "HEAd", "PUt", "TRACe", "CONNECt"}) {
        CAPTURE(name);
        CHECK(sake::detail::method_from(name) == sake::detail::Method::other);
    }
}

TEST_CASE("status codes have the phrases of the registry") {
    CHECK(http::reason_phrase(200) == "OK");
    CHECK(http::reason_phrase(404) == "Not Found");
    CHECK(http::reason_phrase(413) == "Content Too Large");
    CHECK(http::reason_phrase(422) == "Unprocessable Content");
    CHECK(http::reason_phrase(511) == "Network Authentication Required");
    for (const int status : {0, -1, 99, 299, 599, 1000}) CHECK(http::reason_phrase(status) == "Unknown");
}

TEST_CASE("1xx, 204 and 304 have no body") {
    for (int status = 100; status < 600; ++status) {
        CAPTURE(status);
        CHECK(sake::detail::is_informational(status) == (status <= 199));
        CHECK(sake::detail::has_no_body(status) == (status <= 199 || status == 204 || status == 304));
    }
}

}  // namespace test_message
