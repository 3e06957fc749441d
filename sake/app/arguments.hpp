// What a handler accepts by type after its path parameters: the body, the query or the form of a request as a
// type of the program. Also what it may return.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "sake/app/bind.hpp"
#include "sake/app/signature.hpp"
#include "sake/base/shape_of.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A value that was read from a request: `note->text`, `*note`.
template <class T>
class Bound {
  public:
    explicit Bound(T value) : value_(std::move(value)) {}
    [[nodiscard]] T& operator*() noexcept { return value_; }
    [[nodiscard]] const T& operator*() const noexcept { return value_; }
    [[nodiscard]] T* operator->() noexcept { return &value_; }
    [[nodiscard]] const T* operator->() const noexcept { return &value_; }

  private:
    T value_;
};

}  // namespace detail

/// The JSON body as a T, read as ctx.bind<T>() reads it: `app.post("/notes", [](sake::Body<Note> note)
/// {...})`. If the body does not fit, the answer is 422 and the handler does not run.
template <class T>
struct Body : detail::Bound<T> {
    using detail::Bound<T>::Bound;
};
/// The query parameters as a T, read as ctx.query<T>() reads them. If they do not fit, the answer is 422.
template <class T>
struct Query : detail::Bound<T> {
    using detail::Bound<T>::Bound;
};
/// The form in the body as a T, read as ctx.form<T>() reads it. If it does not fit, the answer is 422.
template <class T>
struct FormBody : detail::Bound<T> {
    using detail::Bound<T>::Bound;
};

/// Return it from a handler to answer 201 with the value as JSON. If `location` is set, it is sent in the
/// field Location.
template <class T>
struct Created {
    explicit Created(T made, std::string place = {}) : value(std::move(made)), location(std::move(place)) {}
    T value;
    std::string location;
};

namespace detail {

/// How an argument is taken by its type. The others are path parameters.
template <class T>
struct Argument {
    static constexpr bool is_typed = false;
};
template <class T>
struct Argument<Body<T>> {
    static constexpr bool is_typed = true;
    static constexpr SignaturePlace place = SignaturePlace::body;
    using Content = T;
    static Body<T> take(Call& call) { return Body<T>(bind_json<T>(call)); }
};
template <class T>
struct Argument<Query<T>> {
    static constexpr bool is_typed = true;
    static constexpr SignaturePlace place = SignaturePlace::query;
    using Content = T;
    static Query<T> take(Call& call) { return Query<T>(bind_query<T>(call)); }
};
template <class T>
struct Argument<FormBody<T>> {
    static constexpr bool is_typed = true;
    static constexpr SignaturePlace place = SignaturePlace::form;
    using Content = T;
    static FormBody<T> take(Call& call) { return FormBody<T>(bind_form<T>(call)); }
};

template <class T>
inline constexpr bool is_created = false;
template <class T>
inline constexpr bool is_created<Created<T>> = true;

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
