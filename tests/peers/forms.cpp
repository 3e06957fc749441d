// A mirror of forms for forms.py, forms.mjs and chromium.py: what was sent is the answer, as JSON with the
// bytes in base64. POST to /whole, /worker or /streamed; files above 1,000 bytes are streamed to temporary
// files.

#include <string>
#include <utility>

#include "sake.hpp"

using sake::base64_encode;
using sake::Context;
using sake::Json;
using sake::Task;

namespace {

Json fields_of(const sake::Form& form) {
    Json fields = Json::array();
    for (const auto& [name, value] : form.fields()) {
        fields.push_back({base64_encode(name), base64_encode(value)});
    }
    return fields;
}

Json file_of(const sake::Upload& file, const std::string& bytes) {
    return {{"field", base64_encode(file.field())},
            {"filename", base64_encode(file.filename())},
            {"type", base64_encode(file.content_type())},
            {"safe", file.safe_name()},
            {"bytes", base64_encode(bytes)}};
}

void mirror(Context& ctx) {
    const sake::Form& form = ctx.form();
    Json files = Json::array();
    for (const auto& file : form.files()) files.push_back(file_of(file, std::string(file.bytes())));
    ctx.json({{"fields", fields_of(form)}, {"files", files}});
}

Task<> mirror_streamed(Context& ctx) {
    const sake::Form& form = co_await ctx.read_form();
    Json files = Json::array();
    for (const auto& file : form.files()) {
        std::string bytes = co_await file.read(0, file.size());
        files.push_back(file_of(file, bytes));
    }
    ctx.json({{"fields", fields_of(form)}, {"files", files}});
}

}  // namespace

int main(int argc, char** argv) {
    sake::Engine app({.max_body = std::size_t{64} << 20, .form_memory = 1000});
    app.get("/", [](Context& ctx) { ctx.html("<!doctype html><title>Forms</title>"); });
    app.post("/whole", mirror);
    app.post("/worker", mirror).worker();
    app.post("/streamed", mirror_streamed).stream_body();
    return app.run(argc > 1 ? argv[1] : "127.0.0.1:0");
}
