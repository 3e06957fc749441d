// What nearly every test includes, to be precompiled. Tests include what they use all the same.
#include <doctest/doctest.h>

#include "reliability.hpp"
#include "sake.hpp"
#include "server_fixture.hpp"
