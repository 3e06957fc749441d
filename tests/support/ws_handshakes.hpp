// The table of opening handshakes (RFC 6455 section 4): a request as it is on the wire, and what its answer
// has to be. Sections are RFC 6455's unless another RFC is named. No assertions and no sockets here.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace harness::ws {

/// The server of the table: WebSockets at /echo, at /chat, which speaks these protocols and takes these
/// origins, and at /any, which takes every origin; and a plain page at /page that is 200.
inline const std::vector<std::string> chat_protocols = {"v2", "v1"};
inline const std::vector<std::string> chat_origins = {"https://app.example"};

/// One row. The functions are for its maker, and each returns the row.
struct Handshake {
    using Field = std::pair<std::string, std::string>;

    std::string id;
    std::string section;
    std::string sentence;
    std::string request;
    std::vector<int> statuses;        // one of these
    std::vector<Field> fields = {};   // the answer has each once, with this value in any case
    std::vector<std::string> absent;  // and none of these

    Handshake& with(std::string_view name, std::string_view value);
    Handshake& without(std::string_view name);
};

[[nodiscard]] std::vector<Handshake> handshakes();

/// The status and the fields of an answer.
struct AnswerHead {
    int status = 0;
    std::vector<Handshake::Field> fields;
};
[[nodiscard]] AnswerHead read_answer_head(std::string_view text);

/// What is wrong with the answer; "" for nothing.
[[nodiscard]] std::string complaint_about(const Handshake& row, const AnswerHead& answer);

}  // namespace harness::ws
