// SPDX-License-Identifier: MIT
//
// The machine counts calls whose arguments are words. A method's are: the heap comes first, and a Layout is
// two words.
#include "counted_calls.hpp"

#include "report.hpp"
#include "slabheap/slabheap.h"

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

template <class Pointer>
uintptr_t word(Pointer pointer) {
    return reinterpret_cast<uintptr_t>(pointer);
}

}  // namespace

bool check_instruction_counter() {
    constexpr size_t most = 100000;
    Check check("instruction counter");
    bool is_exact = true;
    for (size_t loops = 1; loops <= most; loops *= 10) {
        counted_call spin = {word(machine_spin), {loops}, 0, 0};
        machine_count(&spin);
        is_exact = is_exact && spin.instructions == 2 * loops + 2;
    }
    check.require(is_exact, "needs QEMU's -icount shift=0");
    check.done("exact, in loops of 4 to %zu instructions", 2 * most + 2);
    return is_exact;
}

void* CountedCalls::allocate(size_t size) {
    counted_call call = {word(slab_alloc), {size, align}, 0, 0};
    if (heap_ != nullptr) call = {code_of(&Heap::allocate), {word(heap_), size, align}, 0, 0};
    return count(call, counts_.allocations);
}

void CountedCalls::free(void* block) {
    counted_call call = {word(slab_free), {word(block)}, 0, 0};
    if (heap_ != nullptr) {
        call = {code_of<void (Heap::*)(void*)>(&Heap::deallocate), {word(heap_), word(block)}, 0, 0};
    }
    count(call, counts_.frees);
}

void CountedCalls::free_sized(void* block, size_t size) {
    counted_call call = {word(slab_free_sized), {word(block), size, align}, 0, 0};
    if (heap_ != nullptr) {
        call = {code_of<void (Heap::*)(void*, Layout)>(&Heap::deallocate),
                {word(heap_), word(block), size, align},
                0,
                0};
    }
    count(call, counts_.frees);
}

void* CountedCalls::count(counted_call call, Tally& tally) {
    size_t before = others_ == nullptr ? 0 : __atomic_load_n(others_, __ATOMIC_RELAXED);
    machine_count(&call);
    if (others_ == nullptr || __atomic_load_n(others_, __ATOMIC_RELAXED) == before) {
        tally += {1, call.instructions, call.instructions};
    }
    return reinterpret_cast<void*>(call.result);
}

}  // namespace demo
