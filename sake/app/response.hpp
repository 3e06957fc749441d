// A response as a handler fills it, whatever protocol it leaves by. Users set it through Context.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/file_body.hpp"
#include "sake/app/problem.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Context;

namespace detail {

class Response {
  public:
    Response() = default;
    Response(const Response& other) { *this = other; }
    Response& operator=(const Response& other) {
        status = other.status;
        headers.clear();
        for (const auto& [name, value] : other.headers) headers.add(name, value);
        body = other.body;
        close = other.close;
        file_ = other.file_ != nullptr ? OwningPtr<FileBody>(new FileBody(*other.file_)) : nullptr;
        copy_type(other);
        return *this;
    }
    ~Response() = default;

    int status = 200;
    http::Headers headers;
    std::string body;
    bool close = false;  // the handler wants the connection closed

    void clear() noexcept {
        status = 200;
        headers.clear();
        content_type_ = {};
        close = false;
        if (file_ != nullptr) [[unlikely]]
            drop_file();
        constexpr std::size_t kept = 16 * 1024;
        if (body.capacity() > kept) std::string().swap(body);
        body.clear();
    }

    void copy_body(std::string_view bytes) {
        if (bytes.size() > body.capacity() && bytes.size() >= sys::worth_large_pages) [[unlikely]]
            make_large_body(bytes.size());
        body.assign(bytes);
    }

    [[nodiscard]] std::string_view content_type() const noexcept { return content_type_; }

    /// For a type that is a literal or lives as long as the response.
    void set_static_type(std::string_view type) noexcept { content_type_ = type; }

    /// Throws std::invalid_argument on a byte that may not stand in a field.
    void set_type(std::string_view type) {
        http::Headers check;
        check.set("Content-Type", type);
        type_storage_ = type;
        content_type_ = type_storage_;
    }

    /// Sends this in place of a text. Whatever sets a body later also sets its type, and by that undoes it.
    void set_file(OwningPtr<FileBody> file) noexcept {
        body.clear();
        file_ = std::move(file);
        content_type_ = file_->type;
    }
    /// What was set by `set_file`, if that is still the body.
    [[nodiscard]] FileBody* file() const noexcept {
        if (file_ == nullptr) [[likely]]
            return nullptr;
        return file_->type.data() == content_type_.data() ? file_.get() : nullptr;
    }

    void set_status(int code) {
        check_status(code);
        status = code;
    }
    static void check_status(int code) {
        if (code >= 200 && code <= 599) return;
        throw std::invalid_argument("status: " + std::to_string(code) + " is not in 200 to 599");
    }

    /// Sets or adds a field. The fields that frame the message are the server's; of them only "Connection:
    /// close" can be asked for.
    template <class Store>
    void put_header(std::string_view name, std::string_view value, Store store) {
        if (check_header(name, value, store)) close = true;
    }
    /// Stores a field that is not the server's. Returns whether the field asks for the connection's end.
    template <class Store>
    [[nodiscard]] static bool check_header(std::string_view name, std::string_view value, Store store) {
        if (!is_framing_field(name)) return store(), false;
        if (iequals(name, "connection") && iequals(value, "close")) return true;
        throw std::invalid_argument("header " + std::string(name) + " is set by the server itself");
    }

    /// Makes it the answer to an error. Fields that describe the answer that would have been go; others that
    /// middleware has set, such as those of CORS, stay.
    void set_problem(int code, std::string_view detail) {
        set_problem_document(code, problem_body(code, detail));
    }
    void set_problem_document(int code, std::string document) {
        status = code;
        for (const std::string_view name :
             {"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition",
              "Content-Location", "Content-Range", "ETag", "Last-Modified", "Cache-Control", "Expires",
              "Location"}) {
            headers.remove(name);
        }
        content_type_ = problem_content_type;
        body = std::move(document);
    }

  private:
    [[gnu::noinline]] void make_large_body(std::size_t size) {
        body.clear();  // so that it is not copied
        body.reserve(size);
        sys::prefer_large_pages(body.data(), size);
    }
    [[gnu::noinline]] void drop_file() noexcept { file_.reset(); }
    void copy_type(const Response& other) {
        const bool is_own = other.content_type_.data() == other.type_storage_.data();
        const bool is_of_file = other.file() != nullptr;
        type_storage_ = other.type_storage_;
        content_type_ = is_own ? std::string_view(type_storage_) : other.content_type_;
        if (is_of_file) content_type_ = file_->type;
    }

    std::string_view content_type_;
    std::string type_storage_;
    OwningPtr<FileBody> file_;
};

}  // namespace detail

/// A response as it stands, for middleware that runs after the handler: see Context::response. Valid until
/// the handler ends.
class ResponseView {
  public:
    [[nodiscard]] int status() const noexcept { return response_->status; }
    [[nodiscard]] std::string_view body() const noexcept { return response_->body; }
    /// The fields that were set; those that the server makes, such as Content-Length and Date, are not among
    /// them.
    [[nodiscard]] const http::Headers& headers() const noexcept { return response_->headers; }
    /// The type of the body; "" if there is none.
    [[nodiscard]] std::string_view content_type() const noexcept {
        return response_->headers.get("Content-Type").value_or(response_->content_type());
    }

  private:
    friend class Context;
    explicit ResponseView(const detail::Response& response) noexcept : response_(&response) {}

    const detail::Response* response_;
};

}  // namespace SAKE_ABI
}  // namespace sake
