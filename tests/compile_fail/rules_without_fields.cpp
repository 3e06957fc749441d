// expect: sake::rules<T> is what sake::fields makes
#include "sake.hpp"

struct Note {
    std::string text;
};
template <>
inline constexpr auto sake::rules<Note> = sake::length(&Note::text, 1, 80);

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>) {});
}
