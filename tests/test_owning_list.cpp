// The list that owns its elements and is linked through them.
#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "sake.hpp"

namespace test_owning_list {

using sake::detail::OwningList;

namespace {

/// Notes its name when it is destroyed.
struct Node {
    Node(std::string called, std::string& notes) : name(std::move(called)), destroyed(notes) {}
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node() { destroyed += name; }
    std::string name;
    std::string& destroyed;
    Node* next = nullptr;
};
using List = OwningList<Node>;

std::string names_of(const List& list) {
    std::string names;
    for (const Node* each = list.first(); each != nullptr; each = each->next) names += each->name;
    return names;
}

}  // namespace

TEST_CASE("a list keeps its order, at both ends") {
    std::string destroyed;
    List list;
    CHECK(list.empty());
    CHECK(list.first() == nullptr);
    Node& b = list.push_back(new Node("b", destroyed));
    CHECK(list.first() == &b);
    Node& c = list.push_back(new Node("c", destroyed));
    CHECK(b.next == &c);
    Node& a = list.push_front(new Node("a", destroyed));
    CHECK(list.first() == &a);
    list.push_back(new Node("d", destroyed));
    CHECK(names_of(list) == "abcd");
    CHECK_FALSE(list.empty());
    CHECK(destroyed.empty());
}

TEST_CASE("an element that is put in front of an empty list is its last as well") {
    std::string destroyed;
    List list;
    list.push_front(new Node("a", destroyed));
    list.push_back(new Node("b", destroyed));
    CHECK(names_of(list) == "ab");
}

TEST_CASE("what is pushed loses the links that it had") {
    std::string destroyed;
    List list;
    Node stranger("x", destroyed);
    auto* const node = new Node("a", destroyed);
    node->next = &stranger;
    list.push_back(node);
    CHECK(names_of(list) == "a");
}

TEST_CASE("the first is taken, and deleted when whoever took it is done") {
    std::string destroyed;
    List list;
    for (const char* name : {"a", "b", "c"}) list.push_back(new Node(name, destroyed));
    {
        const auto taken = list.take_front();
        CHECK(taken->name == "a");
        CHECK(names_of(list) == "bc");
        CHECK(destroyed.empty());
    }
    CHECK(destroyed == "a");
    static_cast<void>(list.take_front());
    CHECK(destroyed == "ab");
    static_cast<void>(list.take_front());
    CHECK(destroyed == "abc");
    CHECK(list.empty());
    list.push_back(new Node("d", destroyed));  // the list is as good as new
    list.push_back(new Node("e", destroyed));
    CHECK(names_of(list) == "de");
}

TEST_CASE("elements may be added while another is taken, also when that was the last") {
    std::string destroyed;
    List list;
    list.push_back(new Node("a", destroyed));
    {
        const auto taken = list.take_front();
        CHECK(list.empty());
        list.push_front(new Node("c", destroyed));
        list.push_front(new Node("b", destroyed));
        list.push_back(new Node("d", destroyed));
        CHECK(taken->name == "a");
        const auto next = list.take_front();
        list.push_front(new Node("e", destroyed));
        CHECK(next->name == "b");
        CHECK(names_of(list) == "ecd");
    }
    CHECK(destroyed == "ba");
}

TEST_CASE("clear and the destructor delete all elements from the first on") {
    std::string destroyed;
    {
        List list;
        list.clear();
        for (const char* name : {"a", "b", "c"}) list.push_back(new Node(name, destroyed));
        list.clear();
        CHECK(destroyed == "abc");
        CHECK(list.empty());
        list.push_back(new Node("d", destroyed));
        list.push_back(new Node("e", destroyed));
    }
    CHECK(destroyed == "abcde");
}

TEST_CASE("a list that is moved leaves nothing behind") {
    std::string destroyed;
    List list;
    list.push_back(new Node("a", destroyed));
    list.push_back(new Node("b", destroyed));
    List moved(std::move(list));
    list.clear();
    CHECK(destroyed.empty());
    moved.push_back(new Node("c", destroyed));
    CHECK(names_of(moved) == "abc");
    moved.clear();
    CHECK(destroyed == "abc");
}

}  // namespace test_owning_list
