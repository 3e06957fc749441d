// The WebSocket conformance table: offers of permessage-deflate, and what has to become of them.
#include "ws_cases.hpp"

#ifdef SAKE_WITH_ZLIB
#include <string>
#include <string_view>

#include "ws_deflater.hpp"

namespace harness::ws {
namespace {

using namespace std::string_literals;

constexpr std::string_view plain_offer = "permessage-deflate";

struct Offer {
    std::string text;
    bool client_keeps_window = true;
    int client_bits = 15;  // what the client compresses with, so that any answer to the offer allows it
};

std::vector<Offer> good_offers() {
    const std::string base(plain_offer);
    std::vector<Offer> offers = {
        {base},
        {base + "; server_no_context_takeover"},
        {base + "; client_no_context_takeover", false},
        {base + "; server_no_context_takeover; client_no_context_takeover", false},
        {base + "; client_max_window_bits", true, 9},
        {base + ";client_max_window_bits;server_no_context_takeover", true, 9},
        {base + " ;\tclient_no_context_takeover ; server_max_window_bits=15", false},
        {base + "; server_max_window_bits=\"10\""},
        {base + "; client_max_window_bits=\"10\"", true, 9},
        {base + "; server_max_window_bits=12; client_max_window_bits=10; server_no_context_takeover; "
                "client_no_context_takeover",
         false, 9},
        {base + "; server_max_window_bits = 12"},  // RFC 6455 4.3: white space as RFC 2616 has it
        {"x-unknown; a=b; c, " + base},
        {base + ", x-unknown"},
        {base + "; server_max_window_bits=10, " + base},
        {base + "; client_max_window_bits=17, " + base},
        {base + "; server_max_window_bits=7, " + base + "; server_max_window_bits=11"},
        {base + "; unknown_parameter, " + base + "; server_no_context_takeover"},
    };
    for (int bits = 9; bits <= 15; ++bits) {
        offers.push_back({base + "; server_max_window_bits=" + std::to_string(bits)});
        offers.push_back({base + "; client_max_window_bits=" + std::to_string(bits), true, 9});
    }
    return offers;
}

// 7.1: an offer with a parameter that is unknown, twice there, or has an illegal value is declined.
std::vector<std::string> bad_offers() {
    const std::string base(plain_offer);
    std::vector<std::string> offers = {
        "x-unknown",
        "x-webkit-deflate-frame",
        base + "; unknown_parameter",
        base + "; unknown_parameter=1",
        base + "; server_no_context_takeover=1",
        base + "; client_no_context_takeover=1",
        base + "; server_no_context_takeover; server_no_context_takeover",
        base + "; client_no_context_takeover; client_no_context_takeover",
        base + "; server_max_window_bits=10; server_max_window_bits=10",
        base + "; client_max_window_bits; client_max_window_bits=10",
        base + "; server_max_window_bits",
    };
    for (const char* value :
         {"0", "7", "16", "17", "100", "010", "09", "1x", "x", "+10", "-10", "\"16\"", "4294967306"}) {
        offers.push_back(base + "; server_max_window_bits=" + value);
        offers.push_back(base + "; client_max_window_bits=" + value);
    }
    return offers;
}

void add_messages(Case& row, const Offer& offer, bool keeps_window) {
    Deflater deflater(keeps_window && offer.client_keeps_window, {6, offer.client_bits});
    for (const std::size_t size : {5U, 1000U, 5000U, 70000U, 5000U}) {
        row.send(compressed(op_text, deflater.payload(records(size)))).reply(op_text, records(size));
    }
    row.text("plain");
}

void add_offers(Rows& rows) {
    rows.group("13.1", "7692 7.1");
    for (const Offer& offer : good_offers()) {
        for (const Server server : {Server::shared, Server::dedicated}) {
            const bool is_dedicated = server == Server::dedicated;
            Case& row = rows.add((is_dedicated ? "windows of its own: " : "shared windows: ") + offer.text);
            add_messages(row.with(server, Agreed::yes, offer.text), offer, is_dedicated);
        }
    }
    rows.group("13.2", "7692 7.1");
    for (const std::string& offer : bad_offers()) {
        rows.add("declined, so plain messages alone: " + offer)
            .with(Server::shared, Agreed::no, offer)
            .text("plain")
            .send(compressed(op_text, deflated("text")))
            .fail({1002});
    }
    rows.group("13.3", "7692 5, 7.1.2");
    rows.add("a server without the extension declines it")
        .with(Server::plain, Agreed::no, plain_offer)
        .text("plain")
        .send(compressed(op_text, deflated("text")))
        .fail({1002});
    rows.add("no offer, no extension")
        .with(Server::dedicated, Agreed::no, "")
        .text(records(5000))
        .send(compressed(op_text, deflated("text")))
        .fail({1002});
    for (const char* bits : {"server_max_window_bits=8", "client_max_window_bits=8"}) {
        rows.add("the smallest window, which zlib does not have: "s + bits)
            .with(Server::shared, Agreed::either, std::string(plain_offer) + "; " + bits)
            .text("plain")
            .text(records(5000));
    }
}

}  // namespace

std::vector<Case> offer_cases() {
    Rows rows;
    add_offers(rows);
    return rows.take();
}

}  // namespace harness::ws

#else

namespace harness::ws {

std::vector<Case> offer_cases() { return {}; }

}  // namespace harness::ws

#endif
