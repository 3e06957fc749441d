// Every input of the corpora, seeds and what fuzzing has found, holds what its target promises.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz/targets.hpp"
#include "support/machinery.hpp"

namespace test_fuzz_corpus {
namespace {

int replay(const fuzz::Target& target, const std::filesystem::path& folder) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), {}};
        INFO(entry.path().string());  // shown if it aborts
        target.run(bytes);
        ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("the corpus of every fuzz target is replayed") {
    const std::filesystem::path corpora = std::filesystem::path(__FILE__).parent_path() / "fuzz/corpus";
    for (const fuzz::Target& target : fuzz::targets) {
        INFO(target.name);
        CHECK(replay(target, corpora / target.name) > 0);
    }
}

}  // namespace test_fuzz_corpus
