// Form: what an HTML form or its like has sent, or is to send: fields and files. What reads a body is in
// form_reader.hpp.
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

/// A file of a form. It is in memory, or, if it is large and the form was streamed, in a temporary file that
/// nothing names. It lives as long as its form; copies share the file.
class Upload {
  public:
    /// The name of the field that it was sent for.
    [[nodiscard]] std::string_view field() const noexcept { return field_; }
    /// The name of the file as it was sent: any text. Never use it as a path.
    [[nodiscard]] std::string_view filename() const noexcept { return filename_; }
    /// The type that the client gave; "" if it gave none.
    [[nodiscard]] std::string_view content_type() const noexcept { return content_type_; }
    [[nodiscard]] std::uint64_t size() const noexcept;

    [[nodiscard]] bool is_in_memory() const noexcept { return file_ == nullptr; }
    /// The content, if it is in memory; valid until the handler ends. Throws std::logic_error if it is in a
    /// temporary file: use save(path), or read(offset, most) for its pieces.
    [[nodiscard]] std::string_view bytes() const;
    /// Up to `most` bytes from `offset` on, wherever they are; none at the end. The loop goes on meanwhile.
    template <class Unused = void>
    Task<std::string> read(std::uint64_t offset, std::size_t most = 64 * 1024) const;

    /// The name as one that a file may have: the last segment, valid UTF-8, at most 200 bytes, not empty, no
    /// separators, no dot in front, no control characters, no device of Windows. Two uploads may have the
    /// same.
    [[nodiscard]] std::string safe_name() const;

    /// Makes a file of it. It is there when it is complete, and it never replaces another: throws
    /// std::system_error that names the path if anything is there, or if it fails. It blocks the thread; a
    /// large file may be renamed in no time, or has to be copied to another file system: see save_async.
    void save(const std::string& path) const;
    /// The same on another thread, so that the loop goes on. Once begun, it is waited for.
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

/// A field of a form, other than a file.
struct FormField {
    std::string name;
    std::string value;
};

/// Fields and files in the order in which they came. ctx.form() gives the one of a request; a TestClient
/// sends one:
///
///     sake::Form form;
///     form.add("title", "Holiday").add_file("photo", "beach.jpg", bytes);
///     client.post("/photos", form);
class Form {
  public:
    Form() = default;

    /// The first field with this name; "" if there is none.
    [[nodiscard]] std::string_view value(std::string_view name) const noexcept { return value(name, {}); }
    [[nodiscard]] std::string_view value(std::string_view name, std::string_view fallback) const noexcept {
        return find_value(name).value_or(fallback);
    }
    /// The same as a number, bool or string; 400, naming the field, if it is absent or does not convert. A
    /// number or bool that was left empty is absent, and "on", which a checkbox sends, is true.
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
    /// All fields with this name, in order.
    [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
    /// All fields except files: `for (auto& [name, value] : form.fields())`.
    [[nodiscard]] std::span<const FormField> fields() const noexcept {
        return {fields_.data(), fields_.size()};
    }

    /// The first file of this field; null if none was sent. A browser sends an empty part without a file
    /// name where nothing was chosen: that does not count as a file.
    [[nodiscard]] const Upload* file(std::string_view name) const noexcept;
    /// All files of this field, in order.
    [[nodiscard]] std::vector<const Upload*> files(std::string_view name) const;
    /// All files.
    [[nodiscard]] std::span<const Upload> files() const noexcept { return {files_.data(), files_.size()}; }

    /// One more field, for a form that is to be sent.
    Form& add(std::string_view name, std::string_view value);
    /// One more file.
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
