// SPDX-License-Identifier: MIT
//
// The machine counts calls whose arguments are words. A method's are: the heap comes first, and a Layout is
// two words.
#include "counted_heap.hpp"

#include "report.hpp"

namespace demo {

namespace {

using slabheap::Heap;
using slabheap::Layout;

static_assert(sizeof(Layout) == 2 * sizeof(uintptr_t));

constexpr size_t align = 16;

// Where a method's code is: the first word of a pointer to it, in the C++ ABI of both compilers.
template <class Method>
uintptr_t code_of(Method method) {
    struct Words {
        uintptr_t code;
        ptrdiff_t adjustment;
    };
    return __builtin_bit_cast(Words, method).code;
}

uintptr_t word(const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer);
}

void* count(counted_call call, Tally& tally) {
    machine_count(&call);
    tally.instructions += call.instructions;
    if (tally.longest < call.instructions) tally.longest = call.instructions;
    return reinterpret_cast<void*>(call.result);
}

}  // namespace

bool check_instruction_counter() {
    constexpr size_t most = 100000;
    Check check("instruction counter");
    bool is_exact = true;
    for (size_t loops = 1; loops <= most; loops *= 10) {
        counted_call spin = {reinterpret_cast<uintptr_t>(machine_spin), {loops}, 0, 0};
        machine_count(&spin);
        is_exact = is_exact && spin.instructions == 2 * loops + 2;
    }
    check.require(is_exact, "needs QEMU's -icount shift=0");
    check.done("exact, in loops of 4 to %zu instructions", 2 * most + 2);
    return is_exact;
}

void* CountedHeap::allocate(size_t size) {
    uintptr_t code = code_of(&Heap::allocate);
    return count({code, {word(&heap_), size, align}, 0, 0}, counts_.allocations);
}

void CountedHeap::free(void* block) {
    uintptr_t code = code_of<void (Heap::*)(void*)>(&Heap::deallocate);
    count({code, {word(&heap_), word(block)}, 0, 0}, counts_.frees);
}

void CountedHeap::free_sized(void* block, size_t size) {
    uintptr_t code = code_of<void (Heap::*)(void*, Layout)>(&Heap::deallocate);
    count({code, {word(&heap_), word(block), size, align}, 0, 0}, counts_.frees);
}

}  // namespace demo
