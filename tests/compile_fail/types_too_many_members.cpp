// expect: Sake sees the members of a struct with at most 64 of them: put some into a struct within it
#include "sake.hpp"

struct Many {
    int a1, a2, a3, a4, a5, a6, a7, a8, b1, b2, b3, b4, b5, b6, b7, b8;
    int c1, c2, c3, c4, c5, c6, c7, c8, d1, d2, d3, d4, d5, d6, d7, d8;
    int e1, e2, e3, e4, e5, e6, e7, e8, f1, f2, f3, f4, f5, f6, f7, f8;
    int g1, g2, g3, g4, g5, g6, g7, g8, h1, h2, h3, h4, h5, h6, h7, h8;
    int one_more;
};

int main() {
    sake::Engine app;
    app.get("/", [] { return Many{}; });
}
