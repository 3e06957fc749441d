// expect: thread::spawn(f, args...): f does not take these arguments
#include "sake.hpp"

int main() {
    sake::thread::spawn([](int) {});
}
