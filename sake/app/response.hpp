// A response as a handler fills it, for any protocol. Users set it through Context.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/app/response_view.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

struct FileBody;

class Response {
  public:
    Response() = default;
    Response(const Response& other);
    Response& operator=(const Response& other);
    ~Response();

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

    void copy_body(std::string_view bytes);

    [[nodiscard]] std::string_view content_type() const noexcept { return content_type_; }

    /// For a type that is a literal, or lives as long as the response.
    void set_static_type(std::string_view type) noexcept { content_type_ = type; }

    /// Throws std::invalid_argument for a byte that a field cannot hold.
    void set_type(std::string_view type);

    /// Sends a file instead of a text. Setting a body later also sets its type, which undoes this.
    void set_file(OwningPtr<FileBody> file) noexcept;
    /// The file of `set_file`, if it is still the body.
    [[nodiscard]] FileBody* file() const noexcept;

    void set_status(int code);
    static void check_status(int code);

    /// Sets or adds a field. The server sets the fields that frame the message; of them only "Connection:
    /// close" may be set.
    template <class Store>
    void put_header(std::string_view name, std::string_view value, Store store) {
        if (check_header(name, value, store)) close = true;
    }
    /// Stores a field that the server does not set. Returns whether the field is "Connection: close".
    template <class Store>
    [[nodiscard]] static bool check_header(std::string_view name, std::string_view value, Store store) {
        if (!is_framing_field(name)) return store(), false;
        return demand_close(name, value);
    }

    /// Makes it an error answer. Fields that describe the earlier answer are removed; others that middleware
    /// has set, such as those of CORS, stay.
    void set_problem(int code, std::string_view detail);
    void set_problem_document(int code, std::string document);

  private:
    /// True for "Connection: close". Throws std::invalid_argument for everything else that frames the
    /// message.
    [[nodiscard]] static bool demand_close(std::string_view name, std::string_view value);
    void make_large_body(std::size_t size);
    void drop_file() noexcept;
    void copy_type(const Response& other);

    std::string_view content_type_;
    std::string type_storage_;
    OwningPtr<FileBody> file_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
