// expect: every rule must be for a member of T itself
#include <optional>
#include <string>
#include <vector>

#include "sake.hpp"

struct Other {
    std::string text;
};
struct Note {
    std::string text;
    std::optional<int> stars;
    std::vector<signed char> sizes;
};

template <>
inline constexpr auto sake::rules<Note> = sake::fields(sake::length(&Other::text, 1, 80));

int main() {
    sake::Engine app;
    app.post("/notes", [](sake::Body<Note> note) { return note->text; });
}
