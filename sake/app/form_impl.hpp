// What an Upload does with its bytes, and how a Form finds its fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/form.hpp"
#include "sake/app/safe_name.hpp"
#include "sake/async/task.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/background.hpp"
#include "sake/io/file.hpp"
#include "sake/io/temporary_file.hpp"

namespace sake {
inline namespace SAKE_ABI {
SAKE_INLINE Upload::Upload() = default;
SAKE_INLINE Upload::Upload(const Upload&) = default;
SAKE_INLINE Upload::Upload(Upload&&) noexcept = default;
SAKE_INLINE Upload& Upload::operator=(const Upload&) = default;
SAKE_INLINE Upload& Upload::operator=(Upload&&) noexcept = default;
SAKE_INLINE Upload::~Upload() = default;

SAKE_INLINE std::uint64_t Upload::size() const noexcept {
    return file_ ? file_->size() : bytes_in_memory().size();
}
SAKE_INLINE std::string_view Upload::bytes() const {
    if (file_ != nullptr) {
        throw std::logic_error(
            "Upload::bytes: this file is in a temporary file, because it is larger than "
            "Config::form_memory; keep it with save(path), or read its pieces with "
            "co_await upload.read(offset, most)");
    }
    return bytes_in_memory();
}
SAKE_INLINE std::string Upload::safe_name() const { return detail::make_safe_name(filename_); }
SAKE_INLINE void Upload::save(const std::string& path) const {
    if (file_ != nullptr) return file_->save(path);
    detail::save_bytes(path, bytes_in_memory());
}

SAKE_INLINE std::optional<std::string_view> Form::find_value(std::string_view name) const noexcept {
    for (const FormField& field : fields_) {
        if (field.name == name) return field.value;
    }
    return std::nullopt;
}
SAKE_INLINE std::vector<std::string_view> Form::values(std::string_view name) const {
    std::vector<std::string_view> found;
    for (const FormField& field : fields_) {
        if (field.name == name) found.push_back(field.value);
    }
    return found;
}
SAKE_INLINE const Upload* Form::file(std::string_view name) const noexcept {
    for (const Upload& upload : files_) {
        if (upload.field() == name) return &upload;
    }
    return nullptr;
}
SAKE_INLINE std::vector<const Upload*> Form::files(std::string_view name) const {
    std::vector<const Upload*> found;
    for (const Upload& upload : files_) {
        if (upload.field() == name) found.push_back(&upload);
    }
    return found;
}
SAKE_INLINE Form& Form::add(std::string_view name, std::string_view value) {
    fields_.push_back({std::string(name), std::string(value)});
    return *this;
}
SAKE_INLINE Form& Form::add_file(std::string_view name, std::string_view filename, std::string_view bytes,
                                 std::string_view content_type) {
    Upload upload;
    upload.field_ = name;
    upload.filename_ = filename;
    upload.content_type_ = content_type;
    upload.own_ = bytes;
    files_.push_back(std::move(upload));
    return *this;
}

template <class Unused>
Task<std::string> Upload::read(std::uint64_t offset, std::size_t most) const {
    if (file_ == nullptr) {
        const std::string_view all = bytes_in_memory();
        co_return std::string(
            all.substr(offset < all.size() ? detail::cast_to<std::size_t>(offset) : all.size(), most));
    }
    Task<std::string> reading = detail::run_blocking<detail::ForFiles>(
        [file = file_, offset, most] { return file->read(offset, most); });
    std::string bytes = co_await std::move(reading);
    co_return bytes;
}

template <class Unused>
Task<> Upload::save_elsewhere(std::string path) const {
    const auto save_it = [this, &path] { save(path); };
    Task<> saving = detail::run_on<detail::BlockingThreads<detail::ForFiles>>(save_it);
    co_await std::move(saving);
}

#if defined(SAKE_IMPLEMENTATION)
template Task<std::string> Upload::read<void>(std::uint64_t offset, std::size_t most) const;
template Task<> Upload::save_elsewhere<void>(std::string path) const;
#endif

}  // namespace SAKE_ABI
}  // namespace sake
