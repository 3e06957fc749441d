// The OpenAPI 3.1 document of an engine or a group: its routes by pattern and method, and the types that they
// use. The order of registration changes nothing in it.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/api_info.hpp"
#include "sake/app/openapi_operation.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/route_notes.hpp"
#include "sake/app/route_table.hpp"
#include "sake/app/schema_names.hpp"
#include "sake/app/schema_writer.hpp"
#include "sake/base/array.hpp"
#include "sake/base/json_lines.hpp"
#include "sake/base/text.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// "/users/:id" as OpenAPI writes it: "/users/{id}", or "/users/{}" without names.
enum class ParamNames : bool { left_out, written };
inline std::string openapi_path(std::string_view pattern, ParamNames names) {
    std::string path;
    while (!pattern.empty()) {
        const std::string_view segment = take_segment(pattern);
        path += '/';
        if (!is_param(segment)) {
            path.append(segment);
        } else if (names == ParamNames::written) {
            path.append("{").append(segment.substr(1)).append("}");
        } else {
            path.append("{}");
        }
    }
    return path;
}

/// "get" of "GET".
inline std::string lower_case(std::string_view text) {
    std::string lower;
    for (const char c : text) lower += to_lower(c);
    return lower;
}

// What Sake answers errors with: see problem.hpp. Indented as it stands in the document.
inline constexpr char problem_schema_text[] = R"({
        "description": "RFC 9457",
        "type": "object",
        "properties": {
          "type": {
            "type": "string"
          },
          "title": {
            "type": "string"
          },
          "status": {
            "type": "integer"
          },
          "detail": {
            "type": "string"
          }
        },
        "required": [
          "type",
          "title",
          "status",
          "detail"
        ]
      })";
inline constexpr char faults_schema_text[] = R"({
        "description": "Says of each fault where it is, by a JSON pointer, and what it is",
        "allOf": [
          {
            "$ref": "#/components/schemas/Problem"
          },
          {
            "type": "object",
            "properties": {
              "errors": {
                "type": "array",
                "items": {
                  "type": "object",
                  "properties": {
                    "pointer": {
                      "type": "string"
                    },
                    "code": {
                      "type": "string"
                    },
                    "detail": {
                      "type": "string"
                    }
                  },
                  "required": [
                    "pointer",
                    "code",
                    "detail"
                  ]
                }
              }
            }
          }
        ]
      })";

template <class Unused = void>
class OpenApiDocument {
  public:
    /// Of the routes in a scope. Throws std::invalid_argument for what cannot be described.
    OpenApiDocument(const RouteTable& table, const Scope& scope, const ApiInfo& info) : info_(&info) {
        for (const RouteEntry* each = table.first(); each != nullptr; each = each->next) {
            if (!each->is_hidden && each->is_within(scope)) add(*each);
        }
        give_ids();
        for (const OpenApiOperation& each : operations_) {
            check_security(*each.route);
            add_names(*each.route);
        }
        names_.give_names();
    }

    [[nodiscard]] std::string text() {
        out_.begin_object();
        out_.name("openapi").text("3.1.0");
        write_info();
        write_servers();
        write_tags();
        write_paths();
        write_components();
        // Nothing unless an operation says so.
        out_.name("security").begin_list();
        out_.end_list();
        out_.end_object();
        return std::move(out_.document());
    }

  private:
    // --- What there is ---

    /// By the place, then by the method. Of "/files/:id" and "/files/*rest", which OpenAPI cannot tell apart,
    /// the first is kept.
    void add(const RouteEntry& route) {
        std::size_t method = 0;
        while (method < std::size(openapi_methods) && openapi_methods[method] != route.method()) ++method;
        if (method == std::size(openapi_methods)) return;
        OpenApiOperation added{&route, openapi_path(route.pattern(), ParamNames::left_out), method};
        const OpenApiOperation* place = operations_.begin();
        while (place != operations_.end() && goes_before(*place, added)) ++place;
        if (place == operations_.end() || goes_before(added, *place)) {
            operations_.insert(place, std::move(added));
        } else if (place->route->pattern().find('*') != std::string_view::npos) {
            operations_[static_cast<std::size_t>(place - operations_.begin())] = std::move(added);
        }
    }
    static bool goes_before(const OpenApiOperation& one, const OpenApiOperation& other) noexcept {
        if (one.place != other.place) return one.place < other.place;
        return one.method < other.method;
    }

    void add_names(const RouteEntry& route) {
        for (const SignaturePart& part : route.handler().signature()) {
            // Their own schema stands where they are read.
            if (part.place == SignaturePlace::query || part.place == SignaturePlace::form) {
                const auto& object = to<ObjectShape>(*part.shape);
                for (std::size_t i = 0; i < object.count; ++i) names_.add(*object.members[i].shape);
            } else {
                names_.add(*part.shape);
            }
        }
        if (const RouteNotes* const notes = notes_of(route)) {
            for (const NotedAnswer& answer : notes->answers) {
                if (answer.shape != nullptr) names_.add(*answer.shape);
            }
        }
    }

    void check_security(const RouteEntry& route) const {
        const RouteNotes* const notes = notes_of(route);
        if (notes == nullptr) return;
        for (const std::string& name : notes->security) {
            bool is_known = false;
            for (const SecurityScheme& scheme : info_->security) is_known = is_known || scheme.name == name;
            if (is_known) continue;
            throw std::invalid_argument("openapi: " + route.description() + " needs the security scheme '" +
                                        name + "': add it to ApiInfo::security");
        }
    }

    // --- Names of operations ---

    [[nodiscard]] const OpenApiOperation* find_id(std::string_view id) const noexcept {
        for (const OpenApiOperation& each : operations_) {
            if (each.id == id) return &each;
        }
        return nullptr;
    }
    void give_ids() {
        for (OpenApiOperation& each : operations_) {
            const RouteNotes* const notes = notes_of(*each.route);
            if (notes == nullptr || notes->operation_id.empty()) continue;
            if (const OpenApiOperation* other = find_id(notes->operation_id)) {
                throw std::invalid_argument("openapi: the operation id '" + notes->operation_id +
                                            "' is that of " + other->route->description() + " and of " +
                                            each.route->description());
            }
            each.id = notes->operation_id;
        }
        for (OpenApiOperation& each : operations_) {
            if (!each.id.empty()) continue;
            std::string base = lower_case(each.route->method());
            const std::string words = words_of(each.route->pattern());
            base.append("_").append(words.empty() ? "root" : words);
            std::string id = base;
            for (int number = 2; find_id(id) != nullptr; ++number) id = base + "_" + std::to_string(number);
            each.id = std::move(id);
        }
    }

    // --- The document ---

    void write_text(std::string_view name, std::string_view text) {
        if (!text.empty()) out_.name(name).text(text);
    }

    void write_info() {
        out_.name("info").begin_object();
        out_.name("title").text(info_->title);
        out_.name("version").text(info_->version);
        write_text("description", info_->description);
        const ApiContact& contact = info_->contact;
        if (!contact.name.empty() || !contact.url.empty() || !contact.email.empty()) {
            out_.name("contact").begin_object();
            write_text("name", contact.name);
            write_text("url", contact.url);
            write_text("email", contact.email);
            out_.end_object();
        }
        if (!info_->license.name.empty()) {
            out_.name("license").begin_object();
            write_text("name", info_->license.name);
            write_text("url", info_->license.url);
            out_.end_object();
        }
        out_.end_object();
    }

    void write_servers() {
        out_.name("servers").begin_list();
        const auto write = [&](std::string_view url) {
            out_.begin_object();
            out_.name("url").text(url);
            out_.end_object();
        };
        for (const std::string& url : info_->servers) write(url);
        if (info_->servers.empty()) write("/");
        out_.end_list();
    }

    void write_tags() {
        Array<ApiTag> tags;
        const auto add = [&](const ApiTag& tag) {
            for (const ApiTag& there : tags) {
                if (there.name == tag.name) return;
            }
            tags.push_back(tag);
        };
        for (const ApiTag& tag : info_->tags) add(tag);
        for (const OpenApiOperation& each : operations_) {
            const RouteNotes* const notes = notes_of(*each.route);
            if (notes == nullptr) continue;
            for (const std::string& name : notes->tags) add({name});
        }
        if (tags.empty()) return;
        out_.name("tags").begin_list();
        for (const ApiTag& tag : tags) {
            out_.begin_object();
            out_.name("name").text(tag.name);
            write_text("description", tag.description);
            out_.end_object();
        }
        out_.end_list();
    }

    void write_paths() {
        OperationWriter<> writer(out_, names_);
        out_.name("paths").begin_object();
        const OpenApiOperation* first = nullptr;  // of this path
        for (const OpenApiOperation& each : operations_) {
            if (first == nullptr || first->place != each.place) {
                if (first != nullptr) out_.end_object();
                first = &each;
                out_.name(openapi_path(each.route->pattern(), ParamNames::written)).begin_object();
            }
            out_.name(lower_case(each.route->method()));
            writer.write(each, first->route->pattern());
        }
        if (first != nullptr) out_.end_object();
        out_.end_object();
    }

    void write_components() {
        out_.name("components").begin_object();
        if (!operations_.empty()) {
            write_schemas();
            write_errors();
        }
        if (!info_->security.empty()) {
            out_.name("securitySchemes").begin_object();
            for (const SecurityScheme& scheme : info_->security) write_scheme(scheme);
            out_.end_object();
        }
        out_.end_object();
    }

    [[nodiscard]] bool is_used(const OpenApiError& error) const {
        for (const OpenApiOperation& each : operations_) {
            const RouteNotes* const notes = notes_of(*each.route);
            bool is_noted = false;
            if (notes != nullptr) {
                for (const NotedAnswer& answer : notes->answers)
                    is_noted = is_noted || answer.status == error.status;
            }
            if (!is_noted &&
                OpenApiDemands<>(each.route->handler().signature()).may_refuse_with(error.status))
                return true;
        }
        return false;
    }
    void write_errors() {
        OperationWriter<> writer(out_, names_);
        out_.name("responses").begin_object();
        for (const OpenApiError& error : openapi_errors) {
            if (!is_used(error)) continue;
            out_.name(error.name).begin_object();
            const bool is_of_types = error.status == 422;
            const std::string_view text =
                error.status == 0 ? "Any other error" : http::reason_phrase(error.status);
            out_.name("description").text(text);
            writer.write_problem(is_of_types ? faults_schema : problem_schema);
            out_.end_object();
        }
        out_.end_object();
    }

    void write_schemas() {
        out_.name("schemas").begin_object();
        SchemaWriter<> writer(out_, names_);
        for (const SchemaNames<>::Named& each : names_.sorted()) {
            out_.name(each.name);
            writer.write_named(*each.shape);
        }
        out_.name(problem_schema).value().append(problem_schema_text);
        if (is_used({422, {}})) out_.name(faults_schema).value().append(faults_schema_text);
        out_.end_object();
    }

    void write_scheme(const SecurityScheme& scheme) {
        out_.name(scheme.name).begin_object();
        if (scheme.kind == SecurityScheme::Kind::api_key) {
            out_.name("type").text("apiKey");
            out_.name("in").text("header");
            out_.name("name").text(scheme.header);
        } else {
            out_.name("type").text("http");
            out_.name("scheme").text(scheme.kind == SecurityScheme::Kind::basic ? "basic" : "bearer");
        }
        out_.end_object();
    }

    const ApiInfo* info_;
    Array<OpenApiOperation> operations_;
    SchemaNames<> names_;
    JsonLines out_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
