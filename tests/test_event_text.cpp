// The text of server-sent events: what is written, what is read, and that both agree.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_event_text {

using namespace std::chrono_literals;
using sake::Event;
using sake::detail::EventReader;
using sake::http::StreamEvent;

namespace {

/// The events of a stream, which comes in pieces of that size.
std::vector<StreamEvent> read(std::string_view stream, std::size_t piece = std::string_view::npos) {
    EventReader reader;
    std::vector<StreamEvent> events;
    while (!stream.empty()) {
        reader.take(stream.substr(0, piece));
        stream.remove_prefix(std::min(piece, stream.size()));
        while (auto event = reader.next()) events.push_back(std::move(*event));
    }
    return events;
}

std::vector<std::string> data_of(std::string_view stream) {
    std::vector<std::string> all;
    for (const StreamEvent& event : read(stream)) all.push_back(event.data);
    return all;
}

std::string comment(std::string_view text) {
    std::string out;
    sake::detail::append_event_comment(out, text);
    return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("an event is its fields, one a line, and an empty line") {
    CHECK(Event("hello").text() == "data: hello\n\n");
    CHECK(Event("a").name("update").id("7").retry(2s).text() ==
          "event: update\nid: 7\nretry: 2000\ndata: a\n\n");
    CHECK(Event("").text() == "data: \n\n");
    CHECK(Event(" a").text() == "data:  a\n\n");
    CHECK(Event::json({{"n", 1}}).text() == "data: {\"n\":1}\n\n");
}

TEST_CASE("an event that is set by name, id and retry time alone has what it needs to be seen") {
    CHECK(Event().text().empty());
    CHECK(Event().name("ping").text() == "event: ping\ndata: \n\n");
    CHECK(Event().id(7).text() == "id: 7\n\n");
    CHECK(Event().retry(1500us).text() == "retry: 2\n\n");
    CHECK(Event().id("").text() == "id: \n\n");
}

TEST_CASE("the message of an event is set on a name as well as on a temporary") {
    Event event;
    event.name("a").id(std::uint64_t{1} << 63).retry(0s);
    CHECK(event.text() == "event: a\nid: 9223372036854775808\nretry: 0\ndata: \n\n");
    event.name("b");
    CHECK(event.text() == "event: b\nid: 9223372036854775808\nretry: 0\ndata: \n\n");
    const Event moved = Event("x").name("c");
    CHECK(moved.text() == "event: c\ndata: x\n\n");
}

TEST_CASE("a copy of an event has a message of its own") {
    Event event("one");
    Event copy(event);
    copy.name("two");
    CHECK(event.text() == "data: one\n\n");
    event = copy;
    CHECK(event.text() == copy.text());
    Event moved(std::move(copy));
    CHECK(moved.text() == event.text());
    Event& self = event;
    event = self;
    CHECK(moved.text() == event.text());
    event = Event();
    CHECK(event.text().empty());
}

TEST_CASE("CR, LF and CRLF in data become lines of data") {
    CHECK(Event("a\nb").text() == "data: a\ndata: b\n\n");
    CHECK(Event("a\rb").text() == "data: a\ndata: b\n\n");
    CHECK(Event("a\r\nb").text() == "data: a\ndata: b\n\n");
    CHECK(Event("a\n\rb").text() == "data: a\ndata: \ndata: b\n\n");
    CHECK(Event("a\n").text() == "data: a\ndata: \n\n");
    CHECK(Event("\r\n").text() == "data: \ndata: \n\n");
    CHECK(Event("x\n\nevent: forged\ndata: y").text() ==
          "data: x\ndata: \ndata: event: forged\ndata: data: y\n\n");
}

TEST_CASE("CR, LF and NUL in the name or the id of an event throw at the call") {
    for (const char bad : {'\r', '\n', '\0'}) {
        const std::string text = std::string("a") + bad + "b";
        CHECK_THROWS_AS(Event("x").name(text), std::invalid_argument);
        CHECK_THROWS_AS(Event("x").id(text), std::invalid_argument);
        Event event("x");
        CHECK_THROWS_AS(event.name(text), std::invalid_argument);
        CHECK_THROWS_AS(event.id(text), std::invalid_argument);
        CHECK(event.text() == "data: x\n\n");
    }
    CHECK_THROWS_WITH(Event().name("a\n"), "the name of an event: byte 1 is a line feed (0x0a)");
    CHECK_THROWS_AS(Event().retry(-1ms), std::invalid_argument);
}

TEST_CASE("all 256 bytes in name and id either throw or arrive as they are") {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string text = std::string("a") + static_cast<char>(byte) + "b";
        const bool is_bad = byte == 0 || byte == '\r' || byte == '\n';
        std::string sent;
        try {
            sent = Event("x").name(text).id(text).text();
        } catch (const std::invalid_argument&) {
            CHECK(is_bad);
            continue;
        }
        const auto events = read(sent);
        REQUIRE(events.size() == 1);
        CHECK(events[0].name == text);
        CHECK(events[0].id == text);
        CHECK_FALSE(is_bad);
    }
}

TEST_CASE("the longest retry time is one that clients can read") {
    const auto events = read(Event("x").retry(std::chrono::hours::max()).text());
    REQUIRE(events.size() == 1);
    CHECK(events[0].retry > 24h * 365 * 290);
    CHECK(read(Event("x").retry(std::chrono::duration<double>(0.5)).text())[0].retry == 500ms);
}

TEST_CASE("a comment has a colon before each line") {
    CHECK(comment("") == ":\n\n");
    CHECK(comment("still here") == ": still here\n\n");
    CHECK(comment("a\r\ndata: b") == ": a\n: data: b\n\n");
    CHECK(read(comment("a\n\ndata: b\n\n")).empty());
}

TEST_CASE("a stream is read as the HTML standard has it in its examples") {
    CHECK(data_of("data: YHOO\ndata: +2\ndata: 10\n\n") == Texts{"YHOO\n+2\n10"});
    EventReader reader;
    reader.take(
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n");
    CHECK(reader.comments() == 1);
    auto event = reader.next();
    REQUIRE(event);
    CHECK(event->data == "first event");
    CHECK(event->id == "1");
    event = reader.next();
    REQUIRE(event);
    CHECK(event->data == "second event");
    CHECK(event->id.empty());
    event = reader.next();
    REQUIRE(event);
    CHECK(event->data == " third event");
    CHECK_FALSE(reader.next());
    CHECK(data_of("data\n\ndata\ndata\n\ndata:") == Texts{"", "\n"});
    CHECK(data_of("data:test\n\ndata: test\n\n") == Texts{"test", "test"});
}

TEST_CASE("lines end with CR, LF or CRLF, mixed as they come") {
    CHECK(data_of("data: a\rdata: b\r\rdata: c\r\n\r\ndata: d\n\r") == Texts{"a\nb", "c", "d"});
    CHECK(data_of("data: a\r\n\n") == Texts{"a"});
    CHECK(data_of("data: a\n\n\n\n") == Texts{"a"});
}

TEST_CASE("a byte order mark is passed over at the start, and nowhere else") {
    CHECK(data_of("\xef\xbb\xbf"
                  "data: a\n\n") == Texts{"a"});
    CHECK(data_of("\xef\xbb\xbf\xef\xbb\xbf"
                  "data: a\n\n")
              .empty());
    CHECK(data_of("data: a\n\n\xef\xbb\xbf"
                  "data: b\n\n") == Texts{"a"});
    CHECK(data_of("\xef\xbb"
                  "data: a\n\n")
              .empty());
}

TEST_CASE("fields of other names are ignored, and names are compared as they are") {
    CHECK(data_of("Data: a\ndata : b\n data: c\nfoo\nfoo: bar\ndata: d\n\n") == Texts{"d"});
    const auto events = read("event: a\nevent: b\nevent\ndata: x\n\nevent: c\n\ndata: y\n\n");
    REQUIRE(events.size() == 2);
    CHECK(events[0].name.empty());
    CHECK(events[1].name.empty());  // that of an event without data is forgotten
}

TEST_CASE("an id stays until the next, one with NUL is ignored, and one without data counts") {
    const std::string with_nul = std::string("id: a") + '\0' + "b\n";
    const auto events =
        read("id: 1\ndata: a\n\ndata: b\n\n" + with_nul + "data: c\n\nid: 2\n\ndata: d\n\nid: 3\n");
    REQUIRE(events.size() == 4);
    CHECK(events[0].id == "1");
    CHECK(events[1].id == "1");
    CHECK(events[2].id == "1");
    CHECK(events[3].id == "2");  // of the last, which did not end, nothing counts
}

TEST_CASE("a retry time is digits and nothing else") {
    EventReader reader;
    for (const std::string_view bad :
         {"retry: -1\n", "retry: +1\n", "retry: 1s\n", "retry: 0x1\n", "retry:\n", "retry:  1\n",
          "retry: 1 \n", "retry: 99999999999999999999999\n"}) {
        reader.take(bad);
        CHECK_FALSE(reader.retry());
    }
    reader.take("retry: 250\n");
    CHECK(reader.retry() == 250ms);
    reader.take("retry: 007\n\n");
    CHECK(reader.retry() == 7ms);
}

TEST_CASE("events that were taken are not kept, even while one always waits") {
    for (const std::size_t waiting : {1u, 2u, 7u}) {
        EventReader reader;
        for (std::size_t i = 0; i < waiting; ++i) reader.take("data: " + std::to_string(i) + "\n\n");
        std::size_t most = 0;
        bool is_in_order = true;
        for (std::size_t i = 0; i < 300'000; ++i) {
            reader.take("data: " + std::to_string(i + waiting) + "\n\n");
            is_in_order = is_in_order && reader.next()->data == std::to_string(i);
            most = std::max(most, reader.kept());
        }
        CHECK(is_in_order);
        CHECK(most <= 2 * waiting + 2);
        CHECK(reader.has_next());
    }
}

TEST_CASE("P1: a stream of events is the same however it is split") {
    const std::string stream =
        std::string("\xef\xbb\xbf: c\r\ndata: a\r\ndata: b\r\r\nid: 1\n\nevent: x\nretry: 5\ndata\n\n") +
        "id: a" + '\0' + "\ndata: \xc3\xa4\n\r\ndata: rest";
    const auto whole = read(stream);
    REQUIRE(whole.size() == 3);
    const auto check_same = [&](const std::vector<StreamEvent>& events) {
        REQUIRE(events.size() == whole.size());
        for (std::size_t i = 0; i < whole.size(); ++i) {
            CHECK(events[i].data == whole[i].data);
            CHECK(events[i].name == whole[i].name);
            CHECK(events[i].id == whole[i].id);
            CHECK(events[i].retry == whole[i].retry);
        }
    };
    for (std::size_t piece = 1; piece < stream.size(); ++piece) check_same(read(stream, piece));
}

TEST_CASE("what was written is read again, whatever is in the data") {
    std::string every_byte;
    for (int byte = 0; byte < 256; ++byte) {
        if (byte != '\r') every_byte += static_cast<char>(byte);
    }
    for (const std::string& data :
         {std::string(), every_byte, std::string("\n\n"), std::string(": a"), std::string(" ")}) {
        const auto events = read(Event(data).name("n").id("i").text());
        REQUIRE(events.size() == 1);
        CHECK(events[0].data == data);
        CHECK(events[0].name == "n");
        CHECK(events[0].id == "i");
    }
}

}  // namespace test_event_text
