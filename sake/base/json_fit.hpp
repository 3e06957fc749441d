// Converts a JSON document by nlohmann's conversions without losing anything. Those conversions truncate
// numbers to the type, drop fractions, and turn true into 1. Only the conversion, often the program's own,
// knows the types of its numbers. So the result is written as JSON again and compared with the document. A
// type that cannot be written is accepted as nlohmann reads it.
#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/json.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Thrown if a number of a document does not fit its type.
class JsonMisfit : public std::range_error {
  public:
    JsonMisfit(std::string where, const std::string& what)
        : std::range_error(what), where_(std::move(where)) {}
    /// Its way through the document: "address/code"; "" for the document itself.
    [[nodiscard]] const std::string& where() const noexcept { return where_; }

  private:
    std::string where_;
};

/// nlohmann's words without its tag, and without what JSON_DIAGNOSTICS puts before them: of
/// "[json.exception.type_error.302] (/a/b) type must be ...", "type must be ...". Where it speaks of its
/// functions, asked for a member, they are for its caller and not for clients.
std::string plain_message(const Json::exception& error);

/// The name in nlohmann's "key 'name' not found", or nothing.
std::string missing_key(const Json::exception& error);

/// Compares a document with what a type made of it. How it does so is in json_fit_impl.hpp.
template <class Value>
class JsonFit {
  public:
    explicit JsonFit(Value& document);

    [[nodiscard]] bool has_numbers() const noexcept { return has_numbers_; }

    /// What a floating-point number becomes is not defined if its type does not hold it. So where the wide
    /// ones go is found out first, by a conversion with a probe in their places; or, if the type does not
    /// like that, with the nearest integers, since what becomes of these is defined. Wide numbers that go to
    /// an integer become one. Throws JsonMisfit for what cannot, and what the second conversion throws: the
    /// numbers themselves are not converted then.
    template <class T>
    void settle_floats() {
        if (wide_.empty()) return;
        JsonOwner<Value> written;
        put(StandIn::probe);
        if (write<T>(written.value)) return settle(written.value, StandIn::probe);
        put(StandIn::nearest_integer);
        written.value = document_.template get<T>();
        settle(written.value, StandIn::nearest_integer);
    }

    /// Makes the wide floating-point numbers integers, for a conversion of which only the errors matter.
    static void tame(Value& document) { JsonFit(document).put(StandIn::nearest_integer); }

    /// Throws JsonMisfit if `value`, made of the document, lost something.
    template <class T>
    void demand_same(const T& value) {
        JsonOwner<Value> written;
        try {
            written.value = value;
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception&) {
            return;  // a to_json of the program that does not like this one
        }
        demand_kept(written.value);
    }

  private:
    // What is converted in place of a wide number.
    enum class StandIn : std::uint8_t { probe, nearest_integer };

    // A floating-point number that the narrowest integers do not hold.
    struct Wide {
        Value* place;
        double number;
    };

    template <class T>
    bool write(Value& written) {
        try {
            written = document_.template get<T>();
            return true;
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception&) {
            return false;
        }
    }

    void collect(Value& value);
    void put(StandIn stand_in);
    void settle(const Value& written, StandIn stand_in);
    void demand_kept(const Value& written) const;

    Value& document_;
    Array<Wide> wide_;
    bool has_numbers_ = false;
};

/// Whether a T may have numbers that a document might not fit, and can be written to compare it.
template <class T>
inline constexpr bool is_read_exactly = !std::is_same_v<T, Json> && !std::is_same_v<T, std::string> &&
                                        !std::is_same_v<T, bool> && std::is_constructible_v<Json, const T&>;

/// The document as a T. Throws JsonMisfit for a number that does not fit, and what nlohmann's conversion
/// throws. The document stays as it is, but that a 2.0 for an integer is a 2.
template <class T, class Value>
T json_as(Value& document) {
    if constexpr (!is_read_exactly<T>) {
        return document.template get<T>();
    } else {
        JsonFit<Value> fit(document);
        fit.template settle_floats<T>();
        T value = document.template get<T>();
        if (fit.has_numbers()) fit.demand_same(value);
        return value;
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
