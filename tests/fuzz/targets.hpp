// All fuzz targets: their names are those of their corpora.
#pragma once

#include "body_reader.hpp"
#include "chunked.hpp"
#include "connection.hpp"
#include "events.hpp"
#include "file_fields.hpp"
#include "formats.hpp"
#include "head.hpp"
#include "headers.hpp"
#include "jwt.hpp"
#include "multipart.hpp"
#include "response.hpp"
#include "router.hpp"
#include "target.hpp"
#include "types.hpp"
#include "worker_context.hpp"
#include "ws_deflate.hpp"
#include "ws_extensions.hpp"
#include "ws_handshake.hpp"
#include "ws_reader.hpp"

namespace fuzz {

struct Target {
    std::string_view name;
    void (*run)(std::string_view input);
};

inline constexpr Target targets[] = {
    {"body_reader", body_reader},
    {"chunked", chunked},
    {"connection", connection},
    {"events", events},
    {"file_fields", file_fields},
    {"formats", formats},
    {"head", head},
    {"headers", headers},
    {"jwt", jwt},
    {"multipart", multipart},
    {"response", response},
    {"router", router},
    {"target", target},
    {"types", types},
    {"worker_context", worker_context},
    {"ws_deflate", ws_deflate},
    {"ws_extensions", ws_extensions},
    {"ws_handshake", ws_handshake},
    {"ws_reader", ws_reader},
};

}  // namespace fuzz
