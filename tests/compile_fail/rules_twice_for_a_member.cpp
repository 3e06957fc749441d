// expect: a_member_has_the_same_rule_twice_keep_one
#include <optional>
#include <string>
#include <vector>

#include "sake.hpp"

struct Note {
    std::string text;
    std::optional<int> stars;
    std::vector<signed char> sizes;
};

template <>
inline constexpr auto sake::rules<Note> =
    sake::fields(sake::length(&Note::text, 1, 80), sake::length(&Note::text, 2, 80));

int main() {
    sake::Engine app;
    app.post("/notes", [](sake::Body<Note> note) { return note->text; });
}
