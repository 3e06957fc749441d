// RouteNotes: what a program says of a route for the description of its API, and how it says so.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/handler.hpp"
#include "sake/app/route_impl.hpp"
#include "sake/base/array.hpp"
#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// An answer that a route may give.
struct NotedAnswer {
    int status;
    std::string text;
    const Shape* shape;  // of its body; null for none
};

struct RouteNotes {
    std::string summary;
    std::string description;
    std::string operation_id;
    Array<std::string> tags;
    Array<std::string> security;  // any one of these
    Array<NotedAnswer> answers;
    bool is_deprecated = false;
};

/// nullptr if the program says nothing of the route.
inline const RouteNotes* notes_of(const RouteEntry& entry) noexcept {
    return static_cast<const RouteNotes*>(entry.notes.get());
}

inline RouteNotes& make_notes(RouteEntry& entry) {
    entry.require_unfrozen();
    if (entry.notes.get() == nullptr) {
        entry.notes = Owned(new RouteNotes, [](void* notes) { delete static_cast<RouteNotes*>(notes); });
    }
    return *static_cast<RouteNotes*>(entry.notes.get());
}

inline void require_text(const RouteEntry& entry, const char* setter, std::string_view text) {
    if (text.empty()) throw std::invalid_argument(entry.description() + ": " + setter + " needs a text");
}

}  // namespace detail

SAKE_INLINE Route& Route::summary(std::string text) {
    detail::make_notes(*entry_).summary = std::move(text);
    return *this;
}
SAKE_INLINE Route& Route::description(std::string text) {
    detail::make_notes(*entry_).description = std::move(text);
    return *this;
}
SAKE_INLINE Route& Route::tag(std::string name) {
    detail::RouteNotes& notes = detail::make_notes(*entry_);
    detail::require_text(*entry_, "tag", name);
    for (const std::string& there : notes.tags) {
        if (there == name) return *this;
    }
    notes.tags.push_back(std::move(name));
    return *this;
}
SAKE_INLINE Route& Route::operation_id(std::string id) {
    detail::RouteNotes& notes = detail::make_notes(*entry_);
    detail::require_text(*entry_, "operation_id", id);
    notes.operation_id = std::move(id);
    return *this;
}
SAKE_INLINE Route& Route::security(std::string scheme) {
    detail::RouteNotes& notes = detail::make_notes(*entry_);
    detail::require_text(*entry_, "security", scheme);
    notes.security.push_back(std::move(scheme));
    return *this;
}
SAKE_INLINE Route& Route::deprecated(bool on) {
    detail::make_notes(*entry_).is_deprecated = on;
    return *this;
}
SAKE_INLINE Route& Route::hidden(bool on) {
    entry_->require_unfrozen();
    entry_->is_hidden = on;
    return *this;
}
SAKE_INLINE Route& Route::add_answer(int code, std::string text, const detail::Shape* shape) {
    detail::RouteNotes& notes = detail::make_notes(*entry_);
    if (code < 100 || code > 599) {
        throw std::invalid_argument(description() + ": responds: " + std::to_string(code) +
                                    " is not a status: it must be from 100 to 599");
    }
    for (detail::NotedAnswer& there : notes.answers) {
        if (there.status != code) continue;
        there = {code, std::move(text), shape};
        return *this;
    }
    notes.answers.push_back({code, std::move(text), shape});
    return *this;
}

}  // namespace SAKE_ABI
}  // namespace sake
