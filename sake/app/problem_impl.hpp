// The documents of problem.hpp, and what an HttpError does.
#pragma once

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/problem.hpp"
#include "sake/base/faults_impl.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/json_writer_impl.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

template <class Value>
struct GivenMembersOf final : GivenMembers {
    Value object = Value::object();
};

SAKE_INLINE std::string problem_body(int status, std::string_view detail, const ProblemMembers& members) {
    const std::string_view title = http::reason_phrase(status);
    std::string body = "{";
    if (!members.has_type) body.append(R"("type":"about:blank",)");
    if (!members.has_title) append_json_text(body.append(R"("title":)"), title), body += ',';
    append_json_integer(body.append(R"("status":)"), status);
    append_json_text(body.append(R"(,"detail":)"), detail.empty() ? title : detail);
    return body.append(members.errors).append(members.text).append("}");
}

SAKE_INLINE HttpError error_with(int status, std::string detail, const ProblemMembers& members) {
    HttpError error(status, std::move(detail));
    error.extra_ = members;
    return error;
}

SAKE_INLINE void refuse_faults(const Faults& faults, std::string_view what) {
    const Fault& first = *faults.begin();
    std::string detail = std::string(what) + ": ";
    if (!first.pointer.empty()) detail.append(first.pointer) += ' ';
    detail.append(first.detail);
    if (faults.size() > 1) {
        const std::string more = std::to_string(faults.size() - 1) + " more: see errors";
        detail.append(faults.is_full() ? ", and at least " : ", and ").append(more);
    }
    ProblemMembers members;
    std::string& errors = members.errors;
    errors.append(R"(,"errors":[)");
    append_json_list(errors, faults, [&](const Fault& fault) {
        append_json_text(errors.append(R"({"pointer":)"), fault.pointer);
        append_json_text(errors.append(R"(,"code":)"), fault.code);
        append_json_text(errors.append(R"(,"detail":)"), fault.detail);
        errors += '}';
    });
    errors += ']';
    throw error_with(422, std::move(detail), members);
}

SAKE_INLINE void refuse_member(std::string_view what, std::string_view where, const char* code,
                               std::string detail) {
    Faults faults;
    faults.add(where.empty() ? std::string() : "/" + std::string(where), code, std::move(detail));
    refuse_faults(faults, what);
}

}  // namespace detail

SAKE_INLINE HttpError::HttpError(int status, std::string detail)
    : status_(status), detail_(std::move(detail)) {
    if (status < 400 || status > 599) {
        throw std::invalid_argument("HttpError: " + std::to_string(status) + " is not an error status");
    }
}

SAKE_INLINE HttpError& HttpError::header(std::string_view name, std::string_view value) {
    if (detail::is_framing_field(name)) {
        throw std::invalid_argument("header " + std::string(name) + " is set by the server itself");
    }
    headers_.set(name, value);
    return *this;
}
SAKE_INLINE std::string HttpError::document() const { return detail::problem_body(status_, detail_, extra_); }

template <std::same_as<Json> Value>
HttpError& HttpError::with(const std::type_identity_t<Value>& members) {
    if (!members.is_object())
        throw std::invalid_argument("HttpError::with: the members must be a JSON object");
    for (const char* name : {"status", "detail"}) {
        if (members.contains(name)) {
            throw std::invalid_argument("HttpError::with: '" + std::string(name) +
                                        "' is set by the constructor");
        }
    }
    using Given = detail::GivenMembersOf<Value>;
    detail::CountedPtr<Given> all(new Given);
    if (given_) all->object = static_cast<const Given&>(*given_).object;
    all->object.update(members);
    detail::ProblemMembers extra;
    extra.errors = extra_.errors;
    extra.has_type = all->object.contains("type");
    extra.has_title = all->object.contains("title");
    for (auto each = all->object.begin(); each != all->object.end(); ++each) {
        detail::append_json_text(extra.text += ',', each.key());
        append_json<Value>(extra.text += ':', each.value());
    }
    given_ = all;
    extra_ = std::move(extra);
    return *this;
}

#if defined(SAKE_IMPLEMENTATION)
template HttpError& HttpError::with<Json>(const Json& members);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
