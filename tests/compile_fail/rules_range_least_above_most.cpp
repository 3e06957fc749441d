// expect: the_least_of_the_rule_is_above_its_most_swap_them
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
inline constexpr auto sake::rules<Note> = sake::fields(sake::range(&Note::stars, 1, -1));

int main() {
    sake::Engine app;
    app.post("/notes", [](sake::Body<Note> note) { return note->text; });
}
