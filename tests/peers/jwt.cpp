// A server that verifies tokens and signs them, for jwt.mjs.
//
//   jwt ADDRESS PUBLIC_JWKS PRIVATE_JWKS [ALGORITHM PEM]...      the names of files
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace {

std::string content_of(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

sake::JwtAlgorithm algorithm_of(const std::string& name) {
    using enum sake::JwtAlgorithm;
    for (const sake::JwtAlgorithm each : {RS256, RS384, RS512, PS256, ES256, ES384, EdDSA}) {
        if (to_string(each) == name) return each;
    }
    throw std::invalid_argument("no algorithm: " + name);
}

sake::middleware::Step guard(std::vector<sake::JwtKey> keys) {
    return sake::middleware::jwt(
        {.keys = std::move(keys), .issuer = "https://login.example", .audience = "notes", .leeway = {}});
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    std::vector<sake::JwtKey> of_pem;
    for (int i = 4; i + 1 < argc; i += 2) {
        of_pem.push_back(sake::jwt_key(algorithm_of(argv[i]), content_of(argv[i + 1])));
    }
    const std::vector<sake::JwtKey> private_keys = sake::jwt_keys(content_of(argv[3]));
    const auto claims = [](sake::Context& ctx) { return ctx.state<sake::JwtClaims>().text; };
    sake::Engine app;
    app.get("/jwk", claims).use(guard(sake::jwt_keys(content_of(argv[2]))));
    app.get("/pem", claims).use(guard(of_pem));
    app.post("/sign/:kid", [&](sake::Context& ctx, const std::string& kid) {
        for (const sake::JwtKey& key : private_keys) {
            if (key.id() == kid) return sake::sign_jwt(ctx.bind(), key);
        }
        throw sake::HttpError(404, "no such key");
    });
    return app.run(argv[1]);
}
