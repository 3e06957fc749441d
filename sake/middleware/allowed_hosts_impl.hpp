// How allowed_hosts compares hosts.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/problem_impl.hpp"
#include "sake/base/peer_address_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/http/uri_impl.hpp"
#include "sake/middleware/allowed_hosts.hpp"
#include "sake/middleware/fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class AllowedHosts final : public StepWork {
  public:
    static constexpr StepRule rules[] = {{"cache", "answers from the cache would be sent under any host"},
                                         {nullptr, nullptr}};
    static constexpr StepInfo info{"allowed_hosts", rules};

    explicit AllowedHosts(std::vector<std::string> hosts) {
        if (hosts.empty()) {
            throw std::invalid_argument("allowed_hosts: no hosts: list the names of this server");
        }
        for (std::string& host : hosts) {
            require_name(host);
            hosts_.push_back(std::move(host));
        }
    }

    void run(Context& ctx) override {
        std::string_view host = ctx.host();
        host = is_valid_host(host) ? host.substr(0, host_length(host)) : "";  // without the port
        for (const std::string& allowed : hosts_) {
            if (is_meant(allowed, host)) return;
        }
        throw HttpError(421, "this server does not answer for the host '" + std::string(host.substr(0, 255)) +
                                 "': middleware::allowed_hosts does not list it");
    }

  private:
    static void require_name(std::string_view host) {
        const std::string_view name = host.starts_with("*.") ? host.substr(2) : host;
        const bool is_name = !name.empty() && host_length(name) == name.size() && name.front() != '.';
        const bool is_literal = name.starts_with('[');
        if (is_name && !(is_literal && name != host)) return;
        throw std::invalid_argument("allowed_hosts: '" + std::string(host) +
                                    "' is not a host: write a name, '*.' and a name for all below it, or an "
                                    "address, IPv6 in brackets, without scheme and port");
    }

    static bool is_meant(std::string_view allowed, std::string_view host) noexcept {
        if (allowed.starts_with('[')) return is_same_address(allowed, host);
        if (!allowed.starts_with("*.")) return iequals(allowed, host);
        allowed.remove_prefix(1);
        return host.size() > allowed.size() && iequals(host.substr(host.size() - allowed.size()), allowed);
    }
    /// Compares IPv6 addresses such as "[::1]", which have several spellings.
    static bool is_same_address(std::string_view allowed, std::string_view host) noexcept {
        if (!host.starts_with('[')) return false;
        const auto one = PeerAddress::parse(allowed.substr(1, allowed.size() - 2));
        const auto other = PeerAddress::parse(host.substr(1, host.size() - 2));
        return one && other && *one == *other;
    }

    Array<std::string> hosts_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step allowed_hosts(std::vector<std::string> hosts) {
    return detail::StepMaker::make<detail::AllowedHosts>(std::move(hosts));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
