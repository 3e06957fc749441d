// What a server has sent, taken apart as strictly as the client does it.
#pragma once

#include <string>
#include <vector>

#include "fuzz.hpp"

namespace fuzz {

/// A final answer, and whether it says that the connection ends.
struct Answer {
    std::string text;  // without its Date
    bool closes = false;
    bool operator==(const Answer&) const = default;
};

inline std::string without_date(std::string_view answer) {
    std::string text(answer);
    const std::size_t date = text.find("\r\nDate: ");
    require(date != std::string::npos, "an answer has a Date");
    return text.erase(date, text.find('\r', date + 2) - date);
}

/// How long the content of an answer is, as framed; it must be whole.
inline std::size_t size_of_content(const http1::Framing& framing, std::string_view bytes) {
    if (framing.body == http1::Framing::Body::to_the_end) return bytes.size();  // in pieces, for HTTP/1.0
    http1::BodyReader reader;
    reader.reset(framing);
    for (std::size_t size = 0;;) {
        const http1::BodyReader::Step step = reader.read(bytes.substr(size));
        size += step.consumed;
        if (step.kind == http1::BodyReader::Step::Kind::done) return size;
        require(step.kind == http1::BodyReader::Step::Kind::data, "an answer is whole");
    }
}

/// Requires that all of it is whole answers, interim ones left out, with nothing behind one that closes. The
/// first of them are to requests of which `are_heads` tells whether they are HEAD; one more may follow, to a
/// request that could not be read.
inline std::vector<Answer> take_apart(std::string_view bytes, const std::vector<bool>& are_heads) {
    std::vector<Answer> answers;
    while (!bytes.empty()) {
        http1::ResponseParser parser;
        http1::ReceivedHead head;
        require(parser.parse(bytes, head) == http1::ResponseParser::Result::done, "an answer has a head");
        const std::size_t number = answers.size();
        const bool is_refusal = number == are_heads.size();
        require(head.status < 200 || number <= are_heads.size(), "a handler has run for each answer");
        const bool has_no_content =
            is_refusal ? head.size == bytes.size() : head.status >= 200 && are_heads[number];
        const http1::Framing framing = http1::decide_response_framing(
            head, bytes.data(), has_no_content ? sake::detail::Method::head : sake::detail::Method::get);
        require(framing.refuse_status == 0, "an answer has one framing");
        const std::size_t content = size_of_content(framing, bytes.substr(head.size));
        if (head.status >= 200) {
            require(answers.empty() || !answers.back().closes, "nothing follows the last answer");
            require(!is_refusal || !framing.keep_alive, "a refusal ends the connection");
            answers.push_back({without_date(bytes.substr(0, head.size + content)), !framing.keep_alive});
        }
        bytes.remove_prefix(head.size + content);
    }
    return answers;
}

}  // namespace fuzz
