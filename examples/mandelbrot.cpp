// The Mandelbrot set as a picture, on one thread and then on all of them, with a progress bar.
//
//   g++ -std=c++20 -O2 -I../single_include mandelbrot.cpp -o mandelbrot -pthread
//
//   ./mandelbrot mandelbrot.ppm 300 200
//     # stdout: one thread: ... s
//     # stdout: parallel: ... s, ... times as fast
//     # stdout: mandelbrot.ppm: 300 x 200 pixels
//     # stderr: ...[########################################]...

#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "sake.hpp"

// How many steps the point takes to leave, of at most 1000.
int steps_to_leave(std::complex<double> c) {
    std::complex<double> z = 0;
    int steps = 0;
    while (steps < 1000 && std::norm(z) < 4) {
        z = z * z + c;
        ++steps;
    }
    return steps;
}

// A row of the picture, three bytes for each pixel. Rows differ much in what they cost.
std::string row_of(int y, int width, int height) {
    std::string row;
    for (int x = 0; x < width; ++x) {
        const std::complex<double> c(3.0 * x / width - 2.2, 2.0 * y / height - 1.0);
        const int steps = steps_to_leave(c);
        const double shade = steps == 1000 ? 0 : std::sqrt(steps / 1000.0);
        for (const double colour : {0.5, 1.0, 2.0})
            row += static_cast<char>(255 * std::min(1.0, 2 * shade * colour));
    }
    return row;
}

// A bar on standard error. Any thread may say that a part is done.
class Progress {
  public:
    explicit Progress(int parts) : parts_(parts) {}

    void one_done() {
        const std::lock_guard lock(mutex_);
        const int done = ++done_;
        if (done * width / parts_ == (done - 1) * width / parts_) return;
        const auto filled = static_cast<std::size_t>(done * width / parts_);
        const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
        std::fprintf(stderr, "\r[%s]%s", bar.c_str(), done == parts_ ? "\n" : "");
    }

  private:
    static constexpr int width = 40;
    const int parts_;
    std::mutex mutex_;
    int done_ = 0;
};

template <class Work>
double seconds(Work work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int main(int argc, char** argv) try {
    const std::string path = argc > 1 ? argv[1] : "mandelbrot.ppm";
    const int width = argc > 2 ? std::atoi(argv[2]) : 1500;
    const int height = argc > 3 ? std::atoi(argv[3]) : 1000;
    if (width <= 0 || height <= 0) {
        std::fprintf(stderr, "usage: %s [FILE.ppm [WIDTH HEIGHT]]\n", argv[0]);
        return 2;
    }
    std::vector<int> all_y(static_cast<std::size_t>(height));
    std::iota(all_y.begin(), all_y.end(), 0);

    std::vector<std::string> rows;
    Progress first(height);
    const double alone = seconds([&] {
        for (const int y : all_y) {
            rows.push_back(row_of(y, width, height));
            first.one_done();
        }
    });
    std::printf("one thread: %.3f s\n", alone);

    Progress second(height);
    const double together = seconds([&] {
        rows = sake::parallel(all_y, [&](int y) {
            std::string row = row_of(y, width, height);
            second.one_done();
            return row;
        });
    });
    std::printf("parallel: %.3f s, %.2f times as fast\n", together, alone / together);

    const std::string size = std::to_string(width) + " " + std::to_string(height);
    const std::string picture =
        std::accumulate(rows.begin(), rows.end(), "P6\n" + size + "\n255\n",
                        [](std::string all, const std::string& row) { return std::move(all) + row; });
    sake::run_until_complete(sake::write_file(path, picture));
    std::printf("%s: %d x %d pixels\n", path.c_str(), width, height);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
}
