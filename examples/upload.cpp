// Files from a browser, with a bar that shows how far each has come: http://127.0.0.1:8080/ is the page. The
// form is read while it comes, so that a file may be larger than the memory.
//
//   g++ -std=c++20 -O2 -I../single_include upload.cpp -o upload -pthread && ./upload
//
//   curl 127.0.0.1:8080/                                            # 200 ...<form>...
//   curl -F title=Sake -F file=@/etc/hostname 127.0.0.1:8080/files   # 201 ..."title":"Sake"}
//     # stderr: sake: kept 1-hostname
//   curl -F 'file=@/etc/hostname;filename="../../.profile"' 127.0.0.1:8080/files   # 201 ..."2-profile"...
//     # stderr: sake: kept 2-profile
//   curl -F title=Sake 127.0.0.1:8080/files   # 400 ..."choose a file"...
//   curl -d title=Sake 127.0.0.1:8080/files   # 400 ..."choose a file"...
//   curl -d '{}' -H Content-Type:application/json 127.0.0.1:8080/files   # 415 ...
//   curl 127.0.0.1:8080/files                 # 200 ["1-hostname","2-profile"]

#include <filesystem>
#include <string>

#include "sake.hpp"

using sake::Context;
using sake::Task;
namespace fs = std::filesystem;

constexpr const char* page = R"html(<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Upload</title>
<style>body { font: 16px sans-serif; max-width: 40em; margin: 3em auto } progress { width: 100% }</style>
<h1>Upload</h1>
<form>
  <p><label>Title <input name="title"></label>
  <p><input type="file" name="file" multiple required>
  <p><button>Send</button>
  <p><progress value="0" hidden></progress>
  <p><output></output>
</form>
<script>
const form = document.querySelector("form"), bar = document.querySelector("progress");
const say = (text) => document.querySelector("output").textContent = text;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const request = new XMLHttpRequest();  // fetch() does not tell how far an upload has come
  request.upload.onprogress = (at) => { bar.hidden = false; bar.max = at.total; bar.value = at.loaded; };
  request.onload = () => {
    const answer = JSON.parse(request.responseText);
    say(request.status === 201 ? "Kept: " + answer.files.map((file) => file.name).join(", ") : answer.detail);
  };
  request.onerror = () => say("The connection was lost.");
  request.open("POST", "/files");
  request.send(new FormData(form));
});
</script>
</html>)html";

int main(int argc, char** argv) {
    const std::string directory = (fs::temp_directory_path() / "sake-uploads").string();
    fs::remove_all(directory);
    fs::create_directories(directory);
    sake::Json kept = sake::Json::array();

    sake::Engine app;
    app.get("/", [](Context& ctx) { ctx.html(page); });
    app.get("/files", [&](Context& ctx) { ctx.json(kept); });

    app.post("/files",
             [&](Context& ctx) -> Task<> {
                 const sake::Form& form = co_await ctx.read_form();
                 if (form.files("file").empty()) throw sake::HttpError(400, "choose a file");
                 sake::Json files = sake::Json::array();
                 for (const sake::Upload* file : form.files("file")) {
                     // A number in front, because two clients may send files of one name.
                     const std::string name = std::to_string(kept.size() + 1) + "-" + file->safe_name();
                     kept.push_back(name);
                     co_await file->save_async(directory + "/" + name);
                     sake::log_to_stderr(sake::LogLevel::info, "kept " + name);
                     files.push_back({{"name", name}, {"size", file->size()}});
                 }
                 ctx.json(201, {{"files", files}, {"title", std::string(form.value("title"))}});
             })
        .stream_body()
        .max_body(std::size_t{2} << 30);

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
