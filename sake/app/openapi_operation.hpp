// One operation of an OpenAPI document: a route, as its pattern, the types of its handler and the program
// say.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/app/pattern.hpp"
#include "sake/app/problem.hpp"
#include "sake/app/route.hpp"
#include "sake/app/route_notes.hpp"
#include "sake/app/schema_names.hpp"
#include "sake/app/schema_writer.hpp"
#include "sake/app/signature.hpp"
#include "sake/base/array.hpp"
#include "sake/base/json_lines.hpp"
#include "sake/base/shape.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The methods that OpenAPI 3.1 has a place for, as it lists them.
inline constexpr std::string_view openapi_methods[] = {"GET",     "PUT",  "POST",  "DELETE",
                                                       "OPTIONS", "HEAD", "PATCH", "TRACE"};

struct OpenApiOperation {
    const RouteEntry* route;
    std::string place;   // the pattern with its parameters without names, "/users/{}"
    std::size_t method;  // its index in openapi_methods
    std::string id = {};
};

/// Errors that routes answer with by what they read. Their descriptions are shared by all operations.
struct OpenApiError {
    int status;  // 0 for any other
    std::string_view name;
};
inline constexpr OpenApiError openapi_errors[] = {{400, "BadRequest"},
                                                  {413, "ContentTooLarge"},
                                                  {415, "UnsupportedMediaType"},
                                                  {422, "UnprocessableContent"},
                                                  {0, "Error"}};

/// What a route demands of requests, as the parts of its signature say.
template <class Unused = void>
struct OpenApiDemands {
    const Shape* query = nullptr;
    const Shape* body = nullptr;
    const Shape* form = nullptr;
    Array<const Shape*> path;
    Array<SignaturePart> answers;

    explicit OpenApiDemands(const Signature& signature) {
        for (const SignaturePart& part : signature) {
            switch (part.place) {
                case SignaturePlace::path:
                    path.push_back(part.shape);
                    break;
                case SignaturePlace::query:
                    query = part.shape;
                    break;
                case SignaturePlace::body:
                    body = part.shape;
                    break;
                case SignaturePlace::form:
                    form = part.shape;
                    break;
                case SignaturePlace::answer:
                    answers.push_back(part);
                    break;
            }
        }
    }
    [[nodiscard]] bool has_body() const noexcept { return body != nullptr || form != nullptr; }
    [[nodiscard]] bool has_typed_path() const noexcept {
        for (const Shape* each : path) {
            if (each->kind != ShapeKind::text) return true;
        }
        return false;
    }
    /// Whether some request is answered with this status before the handler runs.
    [[nodiscard]] bool may_refuse_with(int status) const noexcept {
        switch (status) {
            case 400:
                return has_typed_path() || query != nullptr || has_body();
            case 413:
            case 415:
                return has_body();
            case 422:
                return query != nullptr || has_body();
            default:
                return true;
        }
    }
};

template <class Unused = void>
class OperationWriter {
  public:
    OperationWriter(JsonLines& out, const SchemaNames<>& names) noexcept : out_(&out), schema_(out, names) {}

    /// `pattern` is the one whose names the path has: of the first route of several that differ in them.
    void write(const OpenApiOperation& operation, std::string_view pattern) {
        const RouteNotes* const notes = notes_of(*operation.route);
        const OpenApiDemands<> demands(operation.route->handler().signature());
        out_->begin_object();
        if (notes != nullptr) {
            write_texts("tags", notes->tags);
            write_text("summary", notes->summary);
            write_text("description", notes->description);
        }
        out_->name("operationId").text(operation.id);
        if (operation.route->param_count() != 0 || demands.query != nullptr) {
            out_->name("parameters").begin_list();
            write_path_parameters(pattern, demands);
            if (demands.query != nullptr) write_query_parameters(*demands.query);
            out_->end_list();
        }
        if (demands.has_body()) write_body(demands);
        write_responses(notes, demands);
        if (notes != nullptr) {
            if (notes->is_deprecated) out_->name("deprecated").boolean(true);
            write_security(notes->security);
        }
        out_->end_object();
    }

    void write_text(std::string_view name, std::string_view text) {
        if (!text.empty()) out_->name(name).text(text);
    }
    /// A problem document, as this schema has it.
    void write_problem(std::string_view schema) {
        write_content("application/problem+json", [&] {
            out_->begin_object();
            schema_.write_reference(schema);
            out_->end_object();
        });
    }

  private:
    void write_texts(std::string_view name, const Array<std::string>& texts) {
        if (texts.empty()) return;
        out_->name(name).begin_list();
        for (const std::string& text : texts) out_->text(text);
        out_->end_list();
    }

    template <class WriteSchema>
    void write_content(std::string_view type, WriteSchema write_schema) {
        out_->name("content").begin_object();
        write_media(type, write_schema);
        out_->end_object();
    }
    template <class WriteSchema>
    void write_media(std::string_view type, WriteSchema write_schema) {
        out_->name(type).begin_object();
        out_->name("schema");
        write_schema();
        out_->end_object();
    }

    template <class WriteSchema>
    void write_parameter(std::string_view name, std::string_view in, bool is_required,
                         WriteSchema write_schema) {
        out_->begin_object();
        out_->name("name").text(name);
        out_->name("in").text(in);
        if (is_required) out_->name("required").boolean(true);
        out_->name("schema");
        write_schema();
        out_->end_object();
    }
    void write_path_parameters(std::string_view pattern, const OpenApiDemands<>& demands) {
        std::size_t index = 0;
        for (std::string_view name = take_param_name(pattern); !name.empty();
             name = take_param_name(pattern), ++index) {
            const Shape* const shape = index < demands.path.size() ? demands.path[index] : &text_shape;
            write_parameter(name, "path", true, [&] { schema_.write(*shape); });
        }
    }
    void write_query_parameters(const Shape& query) {
        const ObjectMembers<> members(to<ObjectShape>(query), ObjectSource::texts);
        for (std::size_t i = 0; i < members.count(); ++i) {
            write_parameter(members.name(i), "query", members.is_required(i),
                            [&] { schema_.write_member(members, i); });
        }
    }

    void write_body(const OpenApiDemands<>& demands) {
        out_->name("requestBody").begin_object();
        out_->name("required").boolean(true);
        out_->name("content").begin_object();
        if (demands.body != nullptr) write_media("application/json", [&] { schema_.write(*demands.body); });
        if (demands.form != nullptr) {
            const auto write = [&] {
                schema_.write_object(to<ObjectShape>(*demands.form), ObjectSource::texts);
            };
            write_media("application/x-www-form-urlencoded", write);
            write_media("multipart/form-data", write);
        }
        out_->end_object();
        out_->end_object();
    }

    /// What the program says comes first, then what the types say, then what the server does by itself.
    void write_responses(const RouteNotes* notes, const OpenApiDemands<>& demands) {
        out_->name("responses").begin_object();
        bool has_success = false;
        for (int status = 100; status < 600; ++status) {
            if (status == 400 && !has_success) write_answer(200, {}, nullptr);  // nothing is said of it
            const bool is_written = (notes != nullptr && write_noted(*notes, status)) ||
                                    write_typed(demands, status) || write_error(demands, status);
            has_success = has_success || (is_written && status < 400);
        }
        write_error(demands, 0);
        out_->end_object();
    }
    bool write_noted(const RouteNotes& notes, int status) {
        for (const NotedAnswer& answer : notes.answers) {
            if (answer.status == status) return write_answer(status, answer.text, answer.shape), true;
        }
        return false;
    }
    bool write_typed(const OpenApiDemands<>& demands, int status) {
        for (const SignaturePart& answer : demands.answers) {
            if (answer.status == status) return write_answer(status, {}, answer.shape), true;
        }
        return false;
    }
    bool write_error(const OpenApiDemands<>& demands, int status) {
        for (const OpenApiError& error : openapi_errors) {
            if (error.status != status || !demands.may_refuse_with(status)) continue;
            out_->name(status == 0 ? "default" : std::to_string(status)).begin_object();
            out_->name("$ref").text(std::string("#/components/responses/").append(error.name));
            out_->end_object();
            return true;
        }
        return false;
    }
    void write_answer(int status, std::string_view text, const Shape* shape) {
        out_->name(std::to_string(status)).begin_object();
        out_->name("description").text(text.empty() ? http::reason_phrase(status) : text);
        if (shape != nullptr) {
            write_content(shape->kind == ShapeKind::text ? "text/plain" : "application/json",
                          [&] { schema_.write(*shape); });
        } else if (status >= 400) {
            write_problem(problem_schema);
        }
        out_->end_object();
    }

    void write_security(const Array<std::string>& schemes) {
        if (schemes.empty()) return;
        out_->name("security").begin_list();
        for (const std::string& scheme : schemes) {
            out_->begin_object();
            out_->name(scheme).begin_list();
            out_->end_list();
            out_->end_object();
        }
        out_->end_list();
    }

    JsonLines* out_;
    SchemaWriter<> schema_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
