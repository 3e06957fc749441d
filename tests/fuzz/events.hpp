// Streams of server-sent events: the same events however the bytes are split, and what is written is read
// again.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace fuzz {

struct ReadEvents {
    std::vector<std::string> texts;  // name, id and data of each
    std::string last_id;
    bool operator==(const ReadEvents&) const = default;
};

inline ReadEvents read_events(std::string_view input, std::size_t piece) {
    sake::detail::EventReader reader;
    ReadEvents all;
    while (!input.empty()) {
        reader.take(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
        while (const auto event = reader.next()) {
            require(event->id.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                    "an id has no line end and no NUL");
            require(event->name.find_first_of("\r\n") == std::string::npos, "a name has no line end");
            all.texts.insert(all.texts.end(), {event->name, event->id, event->data});
        }
    }
    all.last_id = reader.last_event_id();
    return all;
}

inline void events(std::string_view input) {
    const ReadEvents at_once = read_events(input, input.size() + 1);
    require(at_once == read_events(input, 1), "the events are those of the bytes one by one");
    require(at_once == read_events(input, 7), "the events are those of pieces");

    std::string expected;  // what the other side makes of line ends
    for (std::size_t i = 0; i < input.size(); ++i) {
        if (input[i] == '\r' && input.substr(i + 1, 1) == "\n") continue;
        expected += input[i] == '\r' ? '\n' : input[i];
    }
    std::string stream;
    sake::detail::append_event_comment(stream, input);
    stream += sake::Event(std::string(input)).name("n").text();
    const ReadEvents again = read_events(stream, 5);
    require(again.texts == std::vector<std::string>{"n", "", expected},
            "data arrives as one event, and as it was");
}

}  // namespace fuzz
