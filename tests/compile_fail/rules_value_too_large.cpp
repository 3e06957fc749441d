// expect: a_value_of_the_rule_is_beyond_what_its_member_holds_use_a_wider_type
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
inline constexpr auto sake::rules<Note> = sake::fields(sake::range(&Note::sizes, 0, 128));

int main() {
    sake::Engine app;
    app.post("/notes", [](sake::Body<Note> note) { return note->text; });
}
