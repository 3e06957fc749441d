// expect: this function makes middleware, and is not middleware itself: call it, as in
// app.use(sake::middleware::cors())
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use(sake::middleware::cors);
}
