// Pictures fetched over HTTP all at once, filtered on all CPUs, and stored after the answer.
//
//   g++ -std=c++20 -O2 -I../single_include image_service.cpp -o image_service -pthread && ./image_service
//
//   curl 127.0.0.1:8080/panorama
//     # 200 {"brightness":[32,49,65,81],"stored_in":"..."}
//     # stderr: sake: north.ppm is stored
//     # stderr: sake: west.ppm is stored
//   curl --head 127.0.0.1:8080/stored/west.ppm   # 200
//     # Content-Type: image/x-portable-pixmap
//   curl 127.0.0.1:8080/stored/above.ppm         # 404 ..."no such picture"...

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "sake.hpp"

using sake::Task;
namespace fs = std::filesystem;

// A PPM file has a head, "P6 WIDTH HEIGHT 255", and three bytes for each pixel.
struct Image {
    int width = 0;
    int height = 0;
    std::string bytes;
};

std::string to_ppm(const Image& image) {
    return "P6 " + std::to_string(image.width) + " " + std::to_string(image.height) + " 255\n" + image.bytes;
}

Image from_ppm(const std::string& file) {
    Image image;
    int head_size = 0;
    const int found = std::sscanf(file.c_str(), "P6 %d %d 255%*c%n", &image.width, &image.height, &head_size);
    if (found == 2 && head_size > 0) image.bytes = file.substr(static_cast<std::size_t>(head_size));
    const auto is_sane = [](int side) { return side > 0 && side <= 10'000; };
    if (!is_sane(image.width) || !is_sane(image.height) ||
        image.bytes.size() != std::size_t{3} * static_cast<std::size_t>(image.width * image.height))
        throw sake::HttpError(502, "a camera sent no picture");
    return image;
}

// Every byte becomes the mean of those around it.
Image blurred(const Image& sharp) {
    constexpr int radius = 4;
    Image image = sharp;
    for (int y = 0; y < sharp.height; ++y) {
        for (int i = 0; i < 3 * sharp.width; ++i) {
            int sum = 0;
            int count = 0;
            for (int near_y = std::max(0, y - radius); near_y <= std::min(sharp.height - 1, y + radius);
                 ++near_y) {
                for (int near = i - 3 * radius; near <= i + 3 * radius; near += 3) {
                    if (near < 0 || near >= 3 * sharp.width) continue;
                    sum += static_cast<unsigned char>(
                        sharp.bytes[static_cast<std::size_t>(3 * sharp.width * near_y + near)]);
                    ++count;
                }
            }
            image.bytes[static_cast<std::size_t>(3 * sharp.width * y + i)] = static_cast<char>(sum / count);
        }
    }
    return image;
}

int brightness(const Image& image) {
    const auto add = [](long sum, char byte) { return sum + static_cast<unsigned char>(byte); };
    const long sum = std::accumulate(image.bytes.begin(), image.bytes.end(), 0L, add);
    return static_cast<int>(sum / static_cast<long>(image.bytes.size()));
}

// The cameras, which would be other machines: a server on a thread of its own.
void add_cameras(sake::Engine& cameras) {
    cameras.get("/:number", [](sake::Context& ctx, int number) {
        Image image{160, 120, std::string(3 * 160 * 120, '\0')};
        for (std::size_t i = 0; i < image.bytes.size(); ++i)
            image.bytes[i] = static_cast<char>((i * 7919 % 100) * static_cast<std::size_t>(number + 2) / 3);
        ctx.send(to_ppm(image), "image/x-portable-pixmap");
    });
}

const std::vector<std::string> sides = {"north", "east", "south", "west"};

Task<> store(std::vector<Image> images, fs::path folder) {
    for (std::size_t i = 0; i < images.size(); ++i) {
        const std::string name = sides[i] + ".ppm";
        co_await sake::write_file((folder / name).string(), to_ppm(images[i]));
        sake::log_to_stderr(sake::LogLevel::info, name + " is stored");
    }
}

int main(int argc, char** argv) {
    sake::Engine cameras({.handle_signals = false, .announce = false});
    add_cameras(cameras);
    cameras.listen("127.0.0.1:0");
    const std::string camera = "http://127.0.0.1:" + std::to_string(cameras.port()) + "/";
    const auto serving = sake::thread::spawn(sake::thread::Name("cameras"), [&](std::stop_token stop) {
        const std::stop_callback on_stop(stop, [&] { cameras.stop(); });
        cameras.run();
    });

    const fs::path folder = fs::temp_directory_path() / "sake-panorama";
    fs::create_directories(folder);
    sake::http::Client client;  // it outlives the engine's run
    sake::Engine app;

    app.get("/panorama", [&](sake::Context& ctx) -> Task<> {
        std::vector<Task<sake::http::Response>> downloads;
        for (std::size_t i = 0; i < sides.size(); ++i)
            downloads.push_back(client.get(camera + std::to_string(i)));
        const auto files = co_await sake::when_all(std::move(downloads));
        const auto stop = ctx.stop_token();
        auto images = co_await sake::background([&] {
            return sake::parallel(files, [](const auto& file) { return blurred(from_ppm(file.body)); }, stop);
        });
        const auto means =
            co_await sake::background([&] { return sake::parallel(images, brightness, stop); });
        sake::spawn(store(std::move(images), folder)).detach();  // goes on when this is answered
        ctx.json({{"brightness", means}, {"stored_in", folder.string()}});
    });

    app.get("/stored/:name", [&](sake::Context& ctx, std::string name) -> Task<> {
        const auto is_it = [&](const std::string& side) { return name == side + ".ppm"; };
        if (std::none_of(sides.begin(), sides.end(), is_it)) throw sake::HttpError(404, "no such picture");
        const std::string picture = co_await sake::read_file((folder / name).string());
        ctx.send(picture, "image/x-portable-pixmap");
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
