// SPDX-License-Identifier: MIT
//
// A program in C++ whose objects lie in the heap, because it is linked with the global operator new and
// delete. Static objects that allocate are made before main, so the heap is made before them.
#include <slabheap/allocator.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

alignas(SLAB_PAGE_SIZE) static unsigned char memory[4 * 1024 * 1024];

[[gnu::constructor(101)]] static void make_heap() {
    if (slab_heap_init(memory, sizeof memory) != SLAB_OK) std::abort();
}

static const std::vector<int> made_before_main(100, 7);

int main() {
    if (!slab_owns(made_before_main.data())) return 1;
    {
        std::map<int, std::string> names;
        for (int i = 0; i < 1000; ++i) names[i] = std::string(static_cast<size_t>(i), 'x');
        if (!slab_owns(names[999].data())) return 1;
    }
    {
        std::vector<long, slabheap::Allocator<long>> numbers(100'000);
        if (!slab_owns(numbers.data())) return 1;
    }
    if (slab_heap_check() != SLAB_OK) return 1;
    std::puts("containers: allocated and freed");
}
