// expect: sake::one_of: the member is an integer, so the values must be integers
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
inline constexpr auto sake::rules<Note> = sake::fields(sake::one_of(&Note::stars, "one", "two"));

int main() {
    sake::Engine app;
    app.post("/notes", [](sake::Body<Note> note) { return note->text; });
}
