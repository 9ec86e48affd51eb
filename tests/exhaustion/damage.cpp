// SPDX-License-Identifier: MIT
//
// Damages the page maps of many heaps, and prints how much of it the audit notices. What tests/unit's
// corruption_test asserts, with more heaps; and what calls do to a heap that is damaged, which nothing is
// promised of.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "corruption.hpp"

using namespace slabheap;
using namespace slabheap::test;

namespace {

// How a program fares that goes on with a damaged heap.
enum Outcome { nothing_seen, fault_told, overlap, crash, outcomes };
constexpr const char* outcome_names[outcomes] = {"nothing is seen", "a fault is told of right use",
                                                 "two blocks overlap", "it crashes, or hangs"};

// Takes 300 blocks, most of which it gives back, as right as can be.
[[noreturn]] void use(Heap& heap) {
    alarm(5);
    heap.set_fault_handler([](const slab_fault*) { _exit(fault_told); });
    std::mt19937 random(5);
    struct Taken {
        uintptr_t start;
        size_t size;
    };
    std::vector<Taken> taken;
    for (int i = 0; i < 300; ++i) {
        size_t const size = 1 + random() % (random() % 8 == 0 ? 20000 : 500);
        uintptr_t const start = address_of(heap.allocate({size, 16}));
        for (Taken const& other : taken) {
            if (start != 0 && start < other.start + other.size && other.start < start + size) _exit(overlap);
        }
        if (start != 0) taken.push_back({start, size});
        if (random() % 4 == 0 || taken.empty()) continue;
        std::swap(taken[random() % taken.size()], taken.back());
        void* const block = reinterpret_cast<void*>(taken.back().start);
        taken.pop_back();
        heap.deallocate(block);
    }
    _exit(nothing_seen);
}

Outcome use_in_a_process(Heap& heap) {
    pid_t const child = fork();
    if (child < 0) std::abort();
    if (child == 0) use(heap);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) < crash ? static_cast<Outcome>(WEXITSTATUS(status))
                                                            : crash;
}

// One bit flips, somewhere; by whether the audit notices it.
void print_what_follows(unsigned heaps) {
    size_t counts[2][outcomes] = {};
    std::mt19937 random(3);
    for (unsigned seed = 1; seed <= heaps; ++seed) {
        WornHeap worn(worn_shapes[seed % 2], seed);
        MapBytes const map(worn.heap(), worn.heap().region(0));
        for (int i = 0; i < 20; ++i) {
            size_t const byte = random() % map.size();
            uint8_t const before = map[byte];
            map[byte] = static_cast<uint8_t>(before ^ (1u << random() % 8));
            ++counts[worn.heap().audit(nullptr) == SLAB_ERR_CORRUPT][use_in_a_process(worn.face())];
            map[byte] = before;
        }
    }
    std::printf("    %-42s %9s %9s\n", "300 calls after one bit flipped", "noticed", "unnoticed");
    for (size_t i = 0; i < outcomes; ++i)
        std::printf("    %-42s %9zu %9zu\n", outcome_names[i], counts[1][i], counts[0][i]);
}

}  // namespace

// [HEAPS]: of each shape.
int main(int count, char** arguments) {
    unsigned const heaps = count > 1 ? static_cast<unsigned>(std::strtoul(arguments[1], nullptr, 10)) : 8;
    Corruption damage(1);
    bool sound = true;
    for (Shape const& shape : worn_shapes) {
        for (unsigned seed = 100; seed < 100 + heaps; ++seed) {
            WornHeap worn(shape, seed);
            sound = sound && worn.is_sound();
            shape.page_count() <= 20 ? damage.flip_every_bit(worn) : damage.flip_bits(worn, 5000);
            damage.flip_pairs(worn, 2000);
            damage.overwrite_words(worn, 2000);
            sound = sound && worn.heap().audit(nullptr) == SLAB_OK;
        }
    }
    bool const passed = sound && damage.surprises.empty();
    std::printf("%s damage: the audit survives damaged page maps, and misses no bit that counts\n",
                passed ? "ok" : "not ok");
    if (!sound) std::printf("    a heap is not sound without damage\n");
    for (Corruption::Surprise const& it : damage.surprises) {
        std::printf("    %s: byte %zu bit %u was %s\n", map_byte_names[static_cast<size_t>(it.kind)], it.byte,
                    it.bit, it.noticed ? "noticed, although it does not count" : "not noticed");
    }
    damage.print();
    print_what_follows(heaps);
    return passed ? 0 : 1;
}
