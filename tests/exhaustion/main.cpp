// SPDX-License-Identifier: MIT
//
// Explores the worlds that are named, or all, and prints a line for each.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "explorer.hpp"

using namespace exhaustion;

namespace {

bool explore_and_tell(World const& world, size_t depth) {
    Result const result = explore(world, depth);
    if (!result.passed) {
        std::printf("not ok %s: %s\n    after %zu states: %s\n", world.name, world.shows, result.states,
                    result.mismatch.c_str());
    } else {
        std::printf("ok %s: %s\n    %zu states, %zu calls; %.3g sequences of %zu calls%s\n", world.name,
                    world.shows, result.states, result.calls, result.sequences, result.depth,
                    result.complete ? "; complete: no call leads out of them" : "");
    }
    std::fflush(stdout);
    return result.passed;
}

}  // namespace

// [--list] [--depth N] [WORLD...]
int main(int count, char** arguments) {
    size_t depth = 0;
    bool list = false, passed = true, any = false;
    for (int i = 1; i < count; ++i) {
        if (std::strcmp(arguments[i], "--list") == 0) {
            list = true;
        } else if (std::strcmp(arguments[i], "--depth") == 0 && i + 1 < count) {
            depth = std::strtoul(arguments[++i], nullptr, 10);
        } else {
            any = true;
        }
    }
    for (World const& world : worlds()) {
        bool named = !any;
        for (int i = 1; i < count; ++i) named = named || std::strcmp(arguments[i], world.name) == 0;
        if (!named) continue;
        if (list) {
            std::printf("%s: %s\n", world.name, world.shows);
        } else {
            passed = explore_and_tell(world, depth != 0 ? depth : world.depth) && passed;
        }
    }
    return passed ? 0 : 1;
}
