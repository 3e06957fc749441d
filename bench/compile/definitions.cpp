// The file of a program in separate form that has the definitions. To be compiled and measured.
#define SAKE_IMPLEMENTATION
#include "sake.hpp"
