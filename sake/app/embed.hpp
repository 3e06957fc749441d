// Files that are part of the program: a table of names and bytes linked into it. Engine::static_files and
// Engine::frontend serve such a table as they serve a directory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// A file: its path in the table, "assets/app.js", and its bytes. The bytes are not copied and must live as
/// long as the program.
struct EmbeddedFile {
    EmbeddedFile(std::string path, std::string_view content) : name(std::move(path)), bytes(content) {}
    /// For the arrays that `xxd -i`, an assembler's .incbin or #embed make.
    EmbeddedFile(std::string path, const unsigned char* data, std::size_t size)
        : name(std::move(path)), bytes(reinterpret_cast<const char*>(data), size) {}
    template <std::size_t Size>
    EmbeddedFile(std::string path, const unsigned char (&data)[Size])
        : EmbeddedFile(std::move(path), data, Size) {}

    std::string name;
    std::string_view bytes;
};

class EmbeddedFiles;

/// Makes a table of files to serve. Throws std::invalid_argument if a name occurs twice, is empty, or
/// begins or ends with a slash.
///
///     app.static_files("/", sake::embed({{"index.html", page}, {"logo.png", logo_png, logo_png_len}}));
template <class File = EmbeddedFile>
[[nodiscard]] EmbeddedFiles embed(std::vector<std::type_identity_t<File>> files);

/// A table of embedded files, made by `embed`.
class EmbeddedFiles {
  public:
    /// The files, sorted by name.
    [[nodiscard]] const std::vector<EmbeddedFile>& files() const noexcept { return files_; }

  private:
    template <class File>
    friend EmbeddedFiles embed(std::vector<std::type_identity_t<File>> files);
    explicit EmbeddedFiles(std::vector<EmbeddedFile> files) : files_(std::move(files)) {}

    std::vector<EmbeddedFile> files_;
};

}  // namespace SAKE_ABI
}  // namespace sake
