// Serves the site that `make docs` has built: docs-serve FOLDER ADDRESS.
//
// A page has a route, which is its name without ".html". All else are files. Browsers keep what has a hash in
// its name for a year, and ask again for the rest.
#include <cstdio>
#include <filesystem>
#include <string>

#include "sake.hpp"

namespace {

namespace fs = std::filesystem;

void add_page(sake::Engine& app, const fs::path& site, const fs::path& file) {
    const std::string name = file.lexically_relative(site).replace_extension().generic_string();
    app.get(sake::runtime("/" + name), [path = file.string()](sake::Context& ctx) {
        ctx.set_header("Cache-Control", "no-cache").file(path);
    });
}

void add_not_found(sake::Engine& app, const fs::path& file) {
    app.on_error([path = file.string()](sake::Context& ctx) {
        if (ctx.response().status() == 404) ctx.file(path);
    });
}

void add_site(sake::Engine& app, const fs::path& site) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(site)) {
        if (entry.path().extension() == ".html") add_page(app, site, entry.path());
    }
    app.static_files("/", site.string(), {.cache_control = "no-cache", .immutable = "assets"});
    add_not_found(app, site / "404.html");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: docs-serve FOLDER ADDRESS\n", stderr);
        return 2;
    }
    sake::Engine app(sake::Config::with_defaults().with_worker_pool(false));
    add_site(app, argv[1]);
    return app.run(argv[2]);
}
