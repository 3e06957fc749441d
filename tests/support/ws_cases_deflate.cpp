// The WebSocket conformance table: messages compressed by permessage-deflate.
#include "ws_cases.hpp"

#ifdef SAKE_WITH_ZLIB
#include <initializer_list>
#include <string>
#include <string_view>

#include "ws_deflater.hpp"

namespace harness::ws {
namespace {

using namespace std::string_literals;

constexpr std::string_view plain_offer = "permessage-deflate";
constexpr std::size_t sizes[] = {0,    1,    16,   64,    125,   126,   256,   1023,
                                 1024, 4096, 8192, 16384, 32768, 65535, 65536, 131072};

/// Rows against both kinds of server, in turn.
class Pair {
  public:
    Pair(Rows& rows, std::string_view id, std::string_view section, Server server)
        : rows_(rows), server_(server) {
        rows.group("12." + std::to_string(server == Server::shared ? 1 : 2) + "." + std::string(id), section);
    }
    Case& add(std::string_view sentence) {
        return rows_.add(sentence).with(server_, Agreed::yes, plain_offer);
    }
    [[nodiscard]] bool keeps_window() const { return server_ == Server::dedicated; }

  private:
    Rows& rows_;
    Server server_;
};

std::string bytes_of(std::size_t size) { return std::to_string(size) + (size == 1 ? " byte" : " bytes"); }

void add_sizes(Rows& rows, Server server) {
    Pair texts(rows, "1", "7692 7.2", server);
    for (const std::size_t size : sizes) {
        texts.add("a text of " + bytes_of(size) + ", compressed")
            .send(compressed(op_text, deflated(records(size))))
            .reply(op_text, records(size));
    }
    Pair binaries(rows, "2", "7692 7.2", server);
    for (const std::size_t size : sizes) {
        binaries.add("noise of " + bytes_of(size) + ", which compression makes no smaller")
            .send(compressed(op_binary, deflated(noise(size))))
            .reply(op_binary, noise(size));
    }
}

void add_fragments(Rows& rows, Server server) {
    Pair pair(rows, "3", "7692 6.1", server);
    const std::string text = records(16384);
    for (const std::size_t piece : {16U, 64U, 256U, 1024U, 4096U}) {
        pair.add("16 KiB, compressed and in fragments of " + bytes_of(piece))
            .send(fragments(op_text, deflated(text), piece, true))
            .reply(op_text, text);
    }
    pair.add("a compressed text in fragments of one byte")
        .send(fragments(op_text, deflated(records(300)), 1, true))
        .reply(op_text, records(300));
    pair.add("empty fragments around the bytes of a compressed text")
        .send(compressed(op_text, "").fin(false))
        .send(frame(op_more, deflated("text")).fin(false))
        .send(frame(op_more))
        .reply(op_text, "text");
    const std::string cut = deflated("Hello, hello, hello");
    for (std::size_t at = 1; at < cut.size(); ++at) {
        pair.add("a compressed text cut behind byte " + std::to_string(at) + ", a ping between")
            .send(compressed(op_text, cut.substr(0, at)).fin(false))
            .ping("ping")
            .send(frame(op_more, cut.substr(at)))
            .reply(op_text, "Hello, hello, hello");
    }
}

void add_many(Rows& rows, Server server) {
    Pair pair(rows, "4", "7692 7.1.1", server);
    for (const std::size_t size : sizes) {
        if (size > 16384) break;
        Deflater deflater(pair.keeps_window());
        Case& row = pair.add("20 messages of " + bytes_of(size) +
                             (pair.keeps_window() ? ", the window kept" : ", the window new for each"));
        for (int i = 0; i < 20; ++i) {
            const std::string text = records(size);
            row.send(compressed(op_text, deflater.payload(text))).reply(op_text, text);
        }
    }
    Deflater deflater(pair.keeps_window());
    Case& turns = pair.add("compressed and plain messages in turn");
    for (std::size_t i = 0; i < 20; ++i) {
        turns.send(compressed(op_text, deflater.payload(records(i * 50)))).reply(op_text, records(i * 50));
        turns.text(records(i * 40));
    }
}

void add_ways_to_compress(Rows& rows, Server server) {
    Pair pair(rows, "5", "7692 7.2.1", server);
    const std::string text = records(3000);
    for (int level = 0; level <= 9; ++level) {
        pair.add("the level " + std::to_string(level) + " of zlib")
            .send(compressed(op_text, deflated(text, {level})))
            .reply(op_text, text);
    }
    for (int bits = 9; bits <= 15; ++bits) {
        pair.add("a window of " + std::to_string(bits) + " bits at the client")
            .send(compressed(op_text, deflated(records(70000), {6, bits})))
            .reply(op_text, records(70000));
    }
    struct Strategy {
        int number;
        const char* name;
    };
    for (const Strategy each : {Strategy{Z_FILTERED, "filtered"}, Strategy{Z_HUFFMAN_ONLY, "Huffman only"},
                                Strategy{Z_RLE, "run lengths"}, Strategy{Z_FIXED, "fixed codes"}}) {
        pair.add("the strategy: "s + each.name)
            .send(compressed(op_text, deflated(text, {6, 15, each.number})))
            .reply(op_text, text);
    }
}

// 7.2.3.5: a message may be several blocks. 7.2.3.4: and the last may be marked so.
void add_blocks(Rows& rows, Server server) {
    Pair pair(rows, "6", "7692 7.2.3", server);
    const std::string text = records(1200);
    for (const int flush : {Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK}) {
        Deflater deflater;
        std::string payload;
        for (std::size_t at = 0; at < text.size(); at += 100)
            payload += deflater.run(text.substr(at, 100), flush);
        payload += deflater.run({}, Z_SYNC_FLUSH);
        if (payload.ends_with(tail)) payload.resize(payload.size() - tail.size());
        pair.add("twelve blocks, with the flush " + std::to_string(flush) + " between")
            .send(compressed(op_text, payload))
            .reply(op_text, text);
    }
    pair.add("a last block that is marked as the last, and a byte 0 behind it")
        .send(compressed(op_text, Deflater().run(text, Z_FINISH) + "\0"s))
        .reply(op_text, text);
    pair.add("a block that is marked as the last, and a message behind it")
        .send(compressed(op_text, Deflater().run("first", Z_FINISH) + "\0"s))
        .reply(op_text, "first")
        .send(compressed(op_text, deflated("second")))
        .reply(op_text, "second");
    pair.add("the tail of a flush inside the message")
        .send(compressed(op_text, deflated("one") + std::string(tail) + deflated("two")))
        .reply(op_text, "onetwo");
    pair.add("the tail of a flush at its end as well")
        .send(compressed(op_text, deflated("text") + std::string(tail) + "\0"s))
        .reply(op_text, "text");
}

// The bytes of the RFC's own examples.
void add_examples(Rows& rows, Server server) {
    Pair pair(rows, "7", "7692 7.2.3", server);
    const auto hello = [&](std::string_view sentence, std::string_view payload) {
        pair.add(sentence).send(compressed(op_text, payload)).reply(op_text, "Hello");
    };
    hello("one block with fixed codes (7.2.3.1)", "\xf2\x48\xcd\xc9\xc9\x07\x00"s);
    hello("a block that is not compressed (7.2.3.3)", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s);
    hello("a block marked as the last (7.2.3.4)", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s);
    hello("two blocks (7.2.3.5)", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s);
    pair.add("two fragments (7.2.3.1)")
        .send(compressed(op_text, "\xf2\x48\xcd").fin(false))
        .send(frame(op_more, "\xc9\xc9\x07\x00"s))
        .reply(op_text, "Hello");
    pair.add("an empty message (7.2.3.6)").send(compressed(op_text, "\0"s)).reply(op_text, "");
    Case& again = pair.add("the same message twice (7.2.3.2)");
    again.send(compressed(op_text, "\xf2\x48\xcd\xc9\xc9\x07\x00"s)).reply(op_text, "Hello");
    again.send(
        compressed(op_text, pair.keeps_window() ? "\xf2\x00\x11\x00\x00"s : "\xf2\x48\xcd\xc9\xc9\x07\x00"s));
    again.reply(op_text, "Hello");
}

// 6: the bit RSV1 stands on the first frame of a message. 5.2 of RFC 6455: nothing else gives it a meaning.
void add_bit(Rows& rows, Server server) {
    Pair pair(rows, "8", "7692 6", server);
    pair.add("a message without RSV1 is not compressed").text("plain").binary(deflated("plain"));
    pair.add("a control frame between compressed fragments is not compressed")
        .send(compressed(op_binary, deflated(records(100)).substr(0, 9)).fin(false))
        .ping(deflated("ping"))
        .send(frame(op_more, deflated(records(100)).substr(9)))
        .reply(op_binary, records(100));
    struct Kind {
        int opcode;
        const char* name;
    };
    for (const Kind kind : {Kind{op_ping, "ping"}, Kind{op_pong, "pong"}, Kind{op_close, "close frame"}}) {
        pair.add("RSV1 on a "s + kind.name).send(compressed(kind.opcode, close_payload(1000))).fail({1002});
    }
    for (const bool is_last : {true, false}) {
        const std::string name = is_last ? "the last fragment" : "a fragment between";
        pair.add("RSV1 on " + name + " of a compressed text")
            .send(compressed(op_text, "\xf2\x48\xcd").fin(false))
            .send(compressed(op_more, "\xc9\xc9\x07\x00"s).fin(is_last))
            .fail({1002});
        pair.add("RSV1 on " + name + " of a plain text")
            .send(frame(op_text, "plain").fin(false))
            .send(compressed(op_more, deflated("text")).fin(is_last))
            .fail({1002});
    }
    for (const int bits : {1, 2, 3, 5, 6, 7}) {
        pair.add("the reserved bits " + std::to_string(bits) + " of a text")
            .send(frame(op_text, deflated("text")).rsv(bits))
            .fail({1002});
    }
    for (const int opcode : {3, 7, 11, 15}) {
        pair.add("RSV1 on the opcode " + std::to_string(opcode)).send(compressed(opcode, "\0"s)).fail({1002});
    }
}

// 7.2.2: what does not inflate is no message. The code is that of data which is not what its type says
// (7.4.1).
void add_malformed(Rows& rows, Server server) {
    Pair pair(rows, "9", "7692 7.2.2", server);
    const std::string distant = [] {  // refers to what is farther back than all that came
        Deflater deflater(true);
        deflater.payload(letters(400));
        return deflater.payload(letters(400));
    }();
    struct Row {
        const char* name;
        std::string payload;
    };
    const Row bad[] = {
        {"a block of the reserved type", "\x07\x00"s},
        {"a block of the reserved type behind a good one", deflated("good") + std::string(tail) + "\x07"},
        {"a stored block whose lengths do not match", "\x00\x05\x00\x00\x00Hello"s},
        {"a distance to before the beginning", distant},
        {"codes that make no tree", "\x05\xff\xff\xff\xff\xff\xff\xff"s},
        {"bytes that are all 1", std::string(100, '\xff')}};
    for (const Row& each : bad) {
        pair.add(each.name).send(compressed(op_binary, each.payload)).fail({1007});
        pair.add("a good message before: "s + each.name)
            .send(compressed(op_text, deflated("good")))
            .reply(op_text, "good")
            .send(compressed(op_binary, each.payload))
            .fail({1007});
    }
    pair.add("a plain text with RSV1").send(compressed(op_text, "\x77Hello, plain text")).fail({1007});
    pair.add("a stored block that ends too early, completed by the tail of 7.2.2 to what is no UTF-8")
        .send(compressed(op_text, "\x00\x05\x00\xfa\xffHe"s))
        .fail({1007});
}

// 8.1 of RFC 6455 is about what a compressed text inflates to.
void add_texts(Rows& rows, Server server) {
    Pair pair(rows, "10", "6455 8.1", server);
    for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
        const std::string name = "a compressed text with " + hex(bad);
        pair.add(name + " at its end").send(compressed(op_text, deflated(records(200) + bad))).fail({1007});
        pair.add(name + " in its middle")
            .send(compressed(op_text, deflated("ab"s + bad + records(200))))
            .fail({1007});
        pair.add("the same bytes as compressed binary data: " + hex(bad))
            .send(compressed(op_binary, deflated(records(200) + bad)))
            .reply(op_binary, records(200) + bad);
    }
    const std::string euros = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xf0\x9f\x8d\xb6";
    pair.add("characters of several bytes").send(compressed(op_text, deflated(euros))).reply(op_text, euros);
    pair.add("characters of several bytes, in stored blocks and fragments that cut them")
        .send(fragments(op_text, deflated(euros, {0}), 1, true))
        .reply(op_text, euros);
}

// 10.4 of RFC 6455: the limit is about what comes out, and it is looked at while it comes out.
void add_bombs(Rows& rows, Server server) {
    Pair pair(rows, "11", "6455 7.4.1, 10.4", server);
    for (const std::size_t size : {max_message - 1, max_message}) {
        pair.add("zeros that inflate to " + bytes_of(size))
            .send(compressed(op_binary, deflated(std::string(size, '\0'))))
            .reply(op_binary, std::string(size, '\0'));
    }
    pair.add("zeros that inflate to 1 byte more than 1 MiB")
        .send(compressed(op_binary, deflated(std::string(max_message + 1, '\0'))))
        .fail({1009});
    pair.add("text that inflates to 1 byte more than 1 MiB")
        .send(compressed(op_text, deflated(records(max_message + 1))))
        .fail({1009});
    pair.add("16 KiB that would inflate to 16 MiB")
        .send(compressed(op_binary, deflated(std::string(16 * max_message, '\0'), {9})))
        .fail({1009});
    pair.add("fragments that inflate to too much together")
        .send(fragments(op_binary, deflated(std::string(max_message + 1, '\0')), 100, true))
        .fail({1009});
    pair.add("the limit is passed before the message ends")
        .send(compressed(op_binary, deflated(std::string(4 * max_message, '\0'))).fin(false))
        .fail_early({1009});
    pair.add("the next message has its own 1 MiB")
        .send(compressed(op_binary, deflated(std::string(max_message, '\0'))))
        .reply(op_binary, std::string(max_message, '\0'))
        .send(compressed(op_text, deflated("small")))
        .reply(op_text, "small");
}

}  // namespace

std::vector<Case> deflate_cases() {
    Rows rows;
    for (const Server server : {Server::shared, Server::dedicated}) {
        for (const auto add : {add_sizes, add_fragments, add_many, add_ways_to_compress, add_blocks,
                               add_examples, add_bit, add_malformed, add_texts, add_bombs}) {
            add(rows, server);
        }
    }
    return rows.take();
}

}  // namespace harness::ws

#else

namespace harness::ws {

std::vector<Case> deflate_cases() { return {}; }

}  // namespace harness::ws

#endif
