// What a Response does beyond the plain path of a text.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/file_body.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/response.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE Response::Response(const Response& other) { *this = other; }

SAKE_INLINE Response& Response::operator=(const Response& other) {
    status = other.status;
    headers.clear();
    for (const auto& [name, value] : other.headers) headers.add(name, value);
    body = other.body;
    close = other.close;
    file_ = other.file_ != nullptr ? OwningPtr<FileBody>(new FileBody(*other.file_)) : nullptr;
    copy_type(other);
    return *this;
}

SAKE_INLINE Response::~Response() = default;

SAKE_INLINE void Response::copy_body(std::string_view bytes) {
    if (bytes.size() > body.capacity() && bytes.size() >= sys::worth_large_pages) [[unlikely]]
        make_large_body(bytes.size());
    body.assign(bytes);
}

SAKE_INLINE void Response::set_type(std::string_view type) {
    http::Headers check;
    check.set("Content-Type", type);
    type_storage_ = type;
    content_type_ = type_storage_;
}

SAKE_INLINE void Response::set_file(OwningPtr<FileBody> file) noexcept {
    body.clear();
    file_ = std::move(file);
    content_type_ = file_->type;
}

SAKE_INLINE FileBody* Response::file() const noexcept {
    if (file_ == nullptr) [[likely]]
        return nullptr;
    return file_->type.data() == content_type_.data() ? file_.get() : nullptr;
}

SAKE_INLINE void Response::set_status(int code) {
    check_status(code);
    status = code;
}
SAKE_INLINE void Response::check_status(int code) {
    if (code >= 200 && code <= 599) return;
    throw std::invalid_argument("status: " + std::to_string(code) + " is not in 200 to 599");
}

SAKE_INLINE bool Response::demand_close(std::string_view name, std::string_view value) {
    if (iequals(name, "connection") && iequals(value, "close")) return true;
    throw std::invalid_argument("header " + std::string(name) + " is set by the server itself");
}

SAKE_INLINE void Response::set_problem(int code, std::string_view detail) {
    set_problem_document(code, problem_body(code, detail));
}
SAKE_INLINE void Response::set_problem_document(int code, std::string document) {
    status = code;
    for (const std::string_view name :
         {"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Content-Location",
          "Content-Range", "ETag", "Last-Modified", "Cache-Control", "Expires", "Location", "Content-Digest",
          "Repr-Digest", "Digest"}) {
        headers.remove(name);
    }
    content_type_ = problem_content_type;
    body = std::move(document);
}

[[gnu::noinline]] inline void Response::make_large_body(std::size_t size) {
    body.clear();  // so that it is not copied
    body.reserve(size);
    sys::prefer_large_pages(body.data(), size);
}
[[gnu::noinline]] inline void Response::drop_file() noexcept { file_.reset(); }
SAKE_INLINE void Response::copy_type(const Response& other) {
    const bool is_own = other.content_type_.data() == other.type_storage_.data();
    const bool is_of_file = other.file() != nullptr;
    type_storage_ = other.type_storage_;
    content_type_ = is_own ? std::string_view(type_storage_) : other.content_type_;
    if (is_of_file) content_type_ = file_->type;
}

}  // namespace detail

SAKE_INLINE int ResponseView::status() const noexcept { return response_->status; }
SAKE_INLINE std::string_view ResponseView::body() const noexcept { return response_->body; }
SAKE_INLINE const http::Headers& ResponseView::headers() const noexcept { return response_->headers; }
SAKE_INLINE std::string_view ResponseView::content_type() const noexcept {
    return response_->headers.get("Content-Type").value_or(response_->content_type());
}

}  // namespace SAKE_ABI
}  // namespace sake
