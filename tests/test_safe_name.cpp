// Upload::safe_name: whatever a client calls its file, a program may use the outcome as a file's name.
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/dice.hpp"
#include "support/machinery.hpp"

namespace test_safe_name {
namespace {

std::string safe(std::string_view sent) { return sake::detail::make_safe_name(sent); }

}  // namespace

TEST_CASE("an ordinary name stays as it is") {
    for (const char* name : {"photo.jpg", "no extension", "a.tar.gz", "\xc3\xa9t\xc3\xa9 2024.txt",
                             "\xe6\x97\xa5.png", "\xf0\x9f\x8d\xb6.txt", "100%.txt", "a~b;c&d'e(f).txt",
                             "console.txt", "com10.txt", "common", "nullable", "lpt.txt", "_x", "a-b"}) {
        CHECK(safe(name) == name);
    }
}

TEST_CASE("a name is one segment, never hidden, never empty") {
    CHECK(safe("../../etc/passwd") == "passwd");
    CHECK(safe("/etc/passwd") == "passwd");
    CHECK(safe("C:\\Users\\me\\photo.jpg") == "photo.jpg");
    CHECK(safe("a/b\\c/d\\e") == "e");
    CHECK(safe(".bashrc") == "bashrc");
    CHECK(safe("...x") == "x");
    CHECK(safe(" . .x. . ") == "x");
    CHECK(safe("file.txt...") == "file.txt");
    for (const char* nothing : {"", ".", "..", "...", "/", "\\", "a/", "a\\", " ", ". ."}) {
        CHECK(safe(nothing) == "file");
    }
}

TEST_CASE("what is dangerous in a name is replaced") {
    CHECK(safe(std::string_view("a\0b\x01"
                                "c\x7f\n\t.txt",
                                12)) == "a_b_c___.txt");
    CHECK(safe("a:b<c>d\"e|f?g*h") == "a_b_c_d_e_f_g_h");
    CHECK(safe("-rf") == "_rf");
    CHECK(safe("\xff\xfe.txt") == "\xef\xbf\xbd\xef\xbf\xbd.txt");
    CHECK(safe("\xc0\xaf.txt") == "\xef\xbf\xbd\xef\xbf\xbd.txt");  // an overlong '/'
    CHECK(safe("\xc2\x85"
               "a") == "_a");
    CHECK(safe("photo\xe2\x80\xaegpj.exe") == "photo_gpj.exe");  // right to left from here on
    CHECK(safe("a\xe2\x80\xa8"
               "b\xe2\x81\xa6"
               "c\xef\xbb\xbf") == "a_b_c_");
}

TEST_CASE("the devices of Windows are no names, with any extension") {
    for (const char* device : {"con", "PRN", "Aux", "nul", "com0", "COM1", "lpt9", "CONIN$", "conout$",
                               "clock$", "com\xc2\xb9", "LPT\xc2\xb3"}) {
        for (const char* rest : {"", ".txt", ".tar.gz", " .txt"}) {
            const std::string name = std::string(device) + rest;
            CHECK(safe(name) == "_" + name);
        }
    }
    CHECK(safe("con.") == "_con");
    CHECK(safe("../NUL") == "_NUL");
}

TEST_CASE("a name is at most 200 bytes long, ends between two characters, and keeps its extension") {
    const auto long_name = [](std::size_t size) { return std::string(size, 'a'); };
    CHECK(safe(long_name(199)) == long_name(199));
    CHECK(safe(long_name(200)) == long_name(200));
    CHECK(safe(long_name(201)) == long_name(200));
    CHECK(safe(long_name(300) + ".jpeg") == long_name(195) + ".jpeg");
    CHECK(safe(long_name(10) + "." + long_name(300)) == long_name(10) + "." + long_name(189));
    std::string wide;
    for (int i = 0; i < 100; ++i) wide += "\xe6\x97\xa5";
    CHECK(safe(wide) == wide.substr(0, 198));
    CHECK(safe(std::string(500, ' ') + "x" + std::string(300, ' ') + "y.txt").size() <= 200);
}

TEST_CASE("P6 a safe name of any bytes keeps every promise, and is the safe name of itself") {
    harness::Dice dice(255);
    constexpr std::string_view bytes =
        "./\\ -:\0\n\x7f\xc3\xa9\xe2\x80\xae\xff"
        "conul1x";
    for (int round = 0; round < 20'000; ++round) {
        std::string sent;
        const std::size_t size = dice.one_in(10) ? 150 + dice.below(200) : dice.below(12);
        while (sent.size() < size) {
            sent += dice.one_in(4) ? static_cast<char>(dice.below(256)) : bytes[dice.below(bytes.size())];
        }
        const std::string name = safe(sent);
        INFO(sent);
        REQUIRE_FALSE(name.empty());
        REQUIRE(name.size() <= 200);
        REQUIRE(name.front() != '.');
        REQUIRE(name.find_first_of(std::string_view("/\\\0\r\n\x7f", 6)) == std::string::npos);
        REQUIRE(sake::is_valid_utf8(name));
        REQUIRE_FALSE(sake::detail::is_device_name(name));
        REQUIRE(safe(name) == name);
    }
}

}  // namespace test_safe_name
