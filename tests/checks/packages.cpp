// What a package has to give a program: the header, nlohmann/json, C++20, threads, and the macro, the headers
// and the library of each optional part. That the header is there is enough here: compiling it would take
// most of the time.
#if __cplusplus < 202002L || !__has_include("sake.hpp") || !__has_include(<nlohmann/json.hpp>)
#error "something that sake::sake has to bring is missing"
#endif
#if !defined(SAKE_WITH_OPENSSL) || !defined(SAKE_WITH_ZLIB) || !defined(SAKE_WITH_BROTLI) || \
    !defined(SAKE_WITH_ZSTD)
#error "a part was asked for, and has no macro"
#endif
#include <brotli/encode.h>
#include <openssl/crypto.h>
#include <zlib.h>
#include <zstd.h>

#include <thread>

int main() {
    std::jthread([] {}).join();
    const bool links =
        BrotliEncoderVersion() && OPENSSL_version_major() && zlibVersion() && ZSTD_versionNumber();
    return links ? 0 : 1;
}
