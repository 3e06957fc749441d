// The limits of JSON and forms for handlers, from the settings.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/app/call.hpp"
#include "sake/app/config.hpp"
#include "sake/base/json.hpp"
#include "sake/http/multipart.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct CallLimits {
    CallLimits() = default;
    explicit CallLimits(const Config& config)
        : json{static_cast<std::size_t>(config.max_json_depth), config.max_json_values},
          form{config.max_form_parts, config.max_form_files, config.max_form_field},
          form_pairs(config.max_form_pairs),
          form_memory(config.form_memory),
          temporary_directory(config.temporary_directory) {}

    JsonLimits json;
    MultipartLimits form;
    std::size_t form_pairs = MultipartLimits().parts;
    std::size_t form_memory = 256 * 1024;
    std::string_view temporary_directory;  // of the Config; "" is the system's
};

/// Declared in call.hpp.
inline constexpr CallLimits no_call_limits;

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
