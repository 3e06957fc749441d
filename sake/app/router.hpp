// The router: a tree of path segments, built during registration and read-only while serving. A static
// segment beats a parameter, and a parameter beats a wildcard, whatever the order of registration.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sake/app/pattern_impl.hpp"
#include "sake/app/request.hpp"
#include "sake/app/route.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Adds a method to a sorted list without duplicates.
inline void add_method(Array<std::string>& methods, std::string_view method) {
    auto place = methods.begin();
    while (place != methods.end() && *place < method) ++place;
    if (place == methods.end() || *place != method) methods.insert(place, std::string(method));
}

/// GET implies HEAD, and every method implies OPTIONS.
inline void add_implied_methods(Array<std::string>& methods) {
    for (const std::string& method : methods) {
        if (method != "GET") continue;
        add_method(methods, "HEAD");
        break;
    }
    add_method(methods, "OPTIONS");
}

/// Finds the target for a path and a method. In the server, Target is RouteEntry; the router only keeps
/// pointers.
template <class Target>
class Router {
  public:
    /// Adds a target under a checked pattern. Returns the target that is there already, or nullptr.
    Target* add(std::string_view pattern, std::string_view method, Target& target) {
        Node& node = node_for(pattern);
        Entry* const there = find_entry(node, method);
        if (there == nullptr) {
            add_entry(node, method, target);
        } else if (std::exchange(there->is_alias, false)) {
            there->target = &target;
        } else {
            return there->target;
        }
        return nullptr;
    }
    /// Adds a second pattern for a target; a target that is added under it later replaces it. False if one is
    /// there already.
    bool add_alias(std::string_view pattern, std::string_view method, Target& target) {
        Node& node = node_for(pattern);
        if (find_entry(node, method) != nullptr) return false;
        add_entry(node, method, target).is_alias = true;
        return true;
    }

    /// The target for a path, with the positions of its parameters; nullptr if there is none for this method.
    /// HEAD falls back to GET. Visits each node of the tree once at most, and allocates nothing.
    [[nodiscard]] Target* find(std::string_view path, Method method, std::string_view method_name,
                               PathParams& params) const noexcept {
        const Query query{path.data(), method, method_name};
        params.count = 0;
        const bool is_path = !path.empty() && path.front() == '/';  // unlike "*"
        return is_path ? search(root_, path, query, params) : nullptr;
    }

    /// The methods of all targets on this path, sorted, HEAD and OPTIONS included; empty if there are none.
    [[nodiscard]] Array<std::string> allowed(std::string_view path) const {
        Array<std::string> methods;
        if (!path.empty()) collect(root_, path, methods);
        if (!methods.empty()) add_implied_methods(methods);
        return methods;
    }

  private:
    struct Entry {
        std::string method;
        Method known_method;
        Target* target;
        bool is_alias = false;
        Entry* next = nullptr;
    };
    struct Node {
        std::string segment;
        Array<Node*> children;  // static, sorted as goes_before does
        Node* param = nullptr;
        Node* rest = nullptr;
        OwningList<Entry> entries;
        Node* next = nullptr;  // in the list of all
    };
    struct Query {
        const char* base;
        Method method;
        std::string_view method_name;

        [[nodiscard]] Slice slice(std::string_view part) const noexcept {
            return {static_cast<std::uint32_t>(part.data() - base), static_cast<std::uint32_t>(part.size())};
        }
    };

    // By length first: most segments differ in it, and need not be compared.
    static bool goes_before(const Node* child, std::string_view segment) noexcept {
        if (child->segment.size() != segment.size()) return child->segment.size() < segment.size();
        return child->segment < segment;
    }
    static std::size_t place_for(const Node& node, std::string_view segment) noexcept {
        std::size_t begin = 0;
        std::size_t end = node.children.size();
        while (begin != end) {
            const std::size_t middle = begin + (end - begin) / 2;
            if (goes_before(node.children[middle], segment))
                begin = middle + 1;
            else
                end = middle;
        }
        return begin;
    }
    static Node* child_at(const Node& node, std::size_t place, std::string_view segment) noexcept {
        const bool is_there = place != node.children.size() && node.children[place]->segment == segment;
        return is_there ? node.children[place] : nullptr;
    }

    Node& node_for(std::string_view pattern) {
        Node* node = &root_;
        std::string_view rest = pattern;
        while (!rest.empty()) {
            const std::string_view segment = take_segment(rest);
            if (!is_param(segment))
                node = &static_child(*node, literal_segment(segment));
            else if (segment.front() == ':')
                node = &own_child(node->param);
            else
                node = &own_child(node->rest);
        }
        return *node;
    }
    static Entry& add_entry(Node& node, std::string_view method, Target& target) {
        return node.entries.push_back(new Entry{std::string(method), method_from(method), &target});
    }
    static Entry* find_entry(const Node& node, std::string_view method) noexcept {
        Entry* entry = node.entries.first();
        while (entry != nullptr && entry->method != method) entry = entry->next;
        return entry;
    }
    Node& new_node(std::string_view segment) {
        Node& node = nodes_.push_back(new Node);
        node.segment = segment;
        return node;
    }
    Node& static_child(Node& node, std::string_view segment) {
        const std::size_t place = place_for(node, segment);
        if (Node* const child = child_at(node, place, segment)) return *child;
        Node& made = new_node(segment);
        node.children.insert(node.children.begin() + static_cast<std::ptrdiff_t>(place), &made);
        return made;
    }
    Node& own_child(Node*& child) {
        if (child == nullptr) child = &new_node({});
        return *child;
    }

    static const Node* find_static(const Node& node, std::string_view segment) noexcept {
        return child_at(node, place_for(node, segment), segment);
    }

    static Target* target_for(const Node& node, const Query& query) noexcept {
        Target* get = nullptr;
        Target* any = nullptr;
        for (const Entry* entry = node.entries.first(); entry != nullptr; entry = entry->next) {
            if (entry->method == any_method)
                any = entry->target;
            else if (entry->known_method == Method::get)
                get = entry->target;
            const bool same = query.method == Method::other ? entry->method == query.method_name
                                                            : entry->known_method == query.method;
            if (same) return entry->target;
        }
        return query.method == Method::head && get != nullptr ? get : any;
    }

    // The recursion is as deep as the tree, which the patterns decide, not the client.
    static Target* search(const Node& node, std::string_view rest, const Query& query,
                          PathParams& params) noexcept {
        if (rest.empty()) return target_for(node, query);
        const std::string_view tail = rest.substr(1);
        const std::string_view segment = take_segment(rest);
        if (const Node* child = find_static(node, segment)) {
            if (Target* const found = search(*child, rest, query, params)) return found;
        }
        const std::size_t count = params.count;
        if (node.param != nullptr && !segment.empty()) {
            params.values[params.count++] = query.slice(segment);
            if (Target* const found = search(*node.param, rest, query, params)) return found;
            params.count = count;
        }
        if (node.rest == nullptr) return nullptr;
        Target* const found = target_for(*node.rest, query);
        if (found != nullptr) params.values[params.count++] = query.slice(tail);
        return found;
    }

    static void collect(const Node& node, std::string_view rest, Array<std::string>& methods) {
        if (rest.empty()) return add_methods(node, methods);
        const std::string_view segment = take_segment(rest);
        if (const Node* child = find_static(node, segment)) collect(*child, rest, methods);
        if (node.param != nullptr && !segment.empty()) collect(*node.param, rest, methods);
        if (node.rest != nullptr) add_methods(*node.rest, methods);
    }

    static void add_methods(const Node& node, Array<std::string>& methods) {
        for (const Entry* entry = node.entries.first(); entry != nullptr; entry = entry->next) {
            add_method(methods, entry->method);
        }
    }

    Node root_;
    OwningList<Node> nodes_;  // all but the root
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
