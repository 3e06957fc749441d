// How a table of embedded files is checked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/app/embed.hpp"

namespace sake {
inline namespace SAKE_ABI {
template <class File>
EmbeddedFiles embed(std::vector<std::type_identity_t<File>> files) {
    std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.name < b.name; });
    for (std::size_t i = 0; i < files.size(); ++i) {
        const std::string& name = files[i].name;
        if (name.empty() || name.front() == '/' || name.back() == '/') {
            throw std::invalid_argument("embed: '" + name +
                                        "' is not the path of a file, such as 'assets/app.js'");
        }
        if (i > 0 && files[i - 1].name == name) {
            throw std::invalid_argument("embed: '" + name + "' is there twice");
        }
    }
    return EmbeddedFiles(std::move(files));
}

#if defined(SAKE_IMPLEMENTATION)
template EmbeddedFiles embed<EmbeddedFile>(std::vector<EmbeddedFile> files);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
