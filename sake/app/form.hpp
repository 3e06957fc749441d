// Form: the fields and files of an HTML form, received or to be sent. form_reader.hpp reads it from a body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/app/bind.hpp"
#include "sake/async/task.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/file.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Form;

namespace detail {
class TemporaryFile;
template <class Unused = void>
class FormReader;
}  // namespace detail

/// A file of a form. It is in memory. A large file of a streamed form is in an unnamed temporary file
/// instead. It lives as long as its form; copies share the file.
class Upload {
  public:
    /// The name of the form field that holds the file.
    [[nodiscard]] std::string_view field() const noexcept { return field_; }
    /// The file name as the client sent it: any text. Never use it as a path.
    [[nodiscard]] std::string_view filename() const noexcept { return filename_; }
    /// The content type that the client sent; "" if it sent none.
    [[nodiscard]] std::string_view content_type() const noexcept { return content_type_; }
    /// The size of the content in bytes.
    [[nodiscard]] std::uint64_t size() const noexcept;

    /// Whether the content is in memory, and not in a temporary file.
    [[nodiscard]] bool is_in_memory() const noexcept { return file_ == nullptr; }
    /// The content, if it is in memory; valid until the handler ends. Throws std::logic_error if it is in a
    /// temporary file: use save(path), or read(offset, most) for its pieces.
    [[nodiscard]] std::string_view bytes() const;
    /// Up to `most` bytes from `offset` on, from memory or the temporary file; empty at the end. Does not
    /// block the loop.
    template <class Unused = void>
    Task<std::string> read(std::uint64_t offset, std::size_t most = 64 * 1024) const;

    /// A file name that is safe to use: the last segment of the client's name, valid UTF-8, 1 to 200 bytes.
    /// It has no separators, no leading dot, no control characters, and is not a Windows device name. Two
    /// uploads may have the same one.
    [[nodiscard]] std::string safe_name() const;

    /// Saves the content as a file. The file appears only when it is complete (on a file system without hard
    /// links, while it is written), and it never replaces an existing one. Throws std::system_error that
    /// names the path if something exists there, or if saving fails. Blocks the thread: a large file may have
    /// to be copied to another file system. In a coroutine use save_async.
    void save(const std::string& path) const;
    /// Saves it on another thread, so that the loop goes on. Once begun, it is not cancelled but waited for.
    template <detail::Path P>
    Task<> save_async(P path) const {
        return save_elsewhere(std::string(std::move(path)));
    }

    Upload(const Upload&);
    Upload(Upload&&) noexcept;
    Upload& operator=(const Upload&);
    Upload& operator=(Upload&&) noexcept;
    ~Upload();

  private:
    friend class Form;
    template <class Unused>
    friend class detail::FormReader;
    Upload();
    template <class Unused = void>
    Task<> save_elsewhere(std::string path) const;

    [[nodiscard]] std::string_view bytes_in_memory() const noexcept {
        return own_.empty() ? body_ : std::string_view(own_);
    }

    std::string field_;
    std::string filename_;
    std::string content_type_;
    std::string_view body_;  // the content lies in the body of the request, or
    std::string own_;        // here, or
    // in a file, which a read that was cancelled holds too, until its thread is done.
    detail::CountedPtr<detail::TemporaryFile> file_;
};

/// A field of a form that is not a file.
struct FormField {
    std::string name;
    std::string value;
};

/// Fields and files in the order received. ctx.form() returns the form of a request; a TestClient sends one:
///
///     sake::Form form;
///     form.add("title", "Holiday").add_file("photo", "beach.jpg", bytes);
///     client.post("/photos", form);
class Form {
  public:
    Form() = default;

    /// The value of the first field with this name; "" if there is none.
    [[nodiscard]] std::string_view value(std::string_view name) const noexcept { return value(name, {}); }
    [[nodiscard]] std::string_view value(std::string_view name, std::string_view fallback) const noexcept {
        return find_value(name).value_or(fallback);
    }
    /// The same as a number, bool or string. Throws HttpError 400 that names the field if it is absent or
    /// does not convert. An empty number or bool counts as absent. "on", which a checkbox sends, is true.
    template <class T>
    [[nodiscard]] T value(std::string_view name) const {
        return detail::convert_required<T>(find_as<T>(name), "form field", name);
    }
    /// The same, or the fallback if it is absent.
    template <class T>
    [[nodiscard]] T value(std::string_view name, std::type_identity_t<T> fallback) const {
        return detail::convert_or<T>(find_as<T>(name), "form field", name, std::move(fallback));
    }
    [[nodiscard]] std::optional<std::string_view> find_value(std::string_view name) const noexcept;
    /// The values of all fields with this name, in order.
    [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
    /// All fields that are not files: `for (auto& [name, value] : form.fields())`.
    [[nodiscard]] std::span<const FormField> fields() const noexcept {
        return {fields_.data(), fields_.size()};
    }

    /// The first file of this field; null if the client sent none. If no file was chosen, a browser sends an
    /// empty part without a file name: it does not count as a file.
    [[nodiscard]] const Upload* file(std::string_view name) const noexcept;
    /// All files of this field, in order.
    [[nodiscard]] std::vector<const Upload*> files(std::string_view name) const;
    /// All files.
    [[nodiscard]] std::span<const Upload> files() const noexcept { return {files_.data(), files_.size()}; }

    /// Adds a field to a form that is to be sent.
    Form& add(std::string_view name, std::string_view value);
    /// Adds a file to a form that is to be sent.
    Form& add_file(std::string_view name, std::string_view filename, std::string_view bytes,
                   std::string_view content_type = "application/octet-stream");

  private:
    /// The text to make a T of, as HTML forms mean it.
    template <class T>
    [[nodiscard]] std::optional<std::string_view> find_as(std::string_view name) const noexcept {
        const auto text = find_value(name);
        if constexpr (std::is_arithmetic_v<T>) {
            if (text && text->empty()) return std::nullopt;
        }
        if constexpr (std::is_same_v<T, bool>) {
            if (text == "on") return "true";
        }
        return text;
    }
    template <class Unused>
    friend class detail::FormReader;
    detail::Array<FormField> fields_;
    detail::Array<Upload> files_;
};

}  // namespace SAKE_ABI
}  // namespace sake
