// SPDX-License-Identifier: MIT
//
// slabheap::Allocator: the heap as an allocator of standard containers.
//
//     std::vector<int, slabheap::Allocator<int>> numbers;                     on the heap of slabheap.h
//     std::vector<int, slabheap::Allocator<int, slabheap::Heap>> own(heap);   on a Heap, or a LockedHeap
//
// The first takes no room in its container, and all of its kind are equal. The second holds a reference: its
// heap outlives the container, and two are equal when they have the same heap. Sizes are checked when they
// come back, as slab_free_sized does. A container cannot be told that there is no memory: where there are
// exceptions it gets std::bad_alloc, for which alone the C++ standard library is needed; elsewhere it traps.
#ifndef SLABHEAP_ALLOCATOR_HPP
#define SLABHEAP_ALLOCATOR_HPP

#include <slabheap/heap.hpp>

#if __STDC_HOSTED__ && defined(__cpp_exceptions)
#include <new>
#endif

namespace slabheap {

// The heap behind the C ABI, as an object without state.
struct GlobalHeap {
    static void* allocate(Layout layout) { return slab_alloc(layout.size, layout.align); }
    static void deallocate(void* ptr, Layout layout) { slab_free_sized(ptr, layout.size, layout.align); }
};

// Which heap an allocator uses.
template <class H>
class HeapReference {
public:
    constexpr HeapReference(H& heap) : heap_(&heap) {}
    constexpr H& get() const { return *heap_; }
    constexpr bool operator==(const HeapReference&) const = default;

private:
    H* heap_;
};

template <>
class HeapReference<GlobalHeap> {
public:
    constexpr GlobalHeap get() const { return {}; }
    constexpr bool operator==(const HeapReference&) const = default;
};

template <class T, class H = GlobalHeap>
class Allocator : HeapReference<H> {
public:
    using value_type = T;

    // From nothing for the global heap, from an H& for another.
    constexpr Allocator() = default;
    using HeapReference<H>::HeapReference;

    template <class U>
    constexpr Allocator(const Allocator<U, H>& other) : HeapReference<H>(other.reference()) {}

    // Room for count objects.
    [[nodiscard]] T* allocate(size_t count) {
        constexpr size_t most = PTRDIFF_MAX / sizeof(T);
        void* const block = count <= most ? this->get().allocate(Layout::of<T>(count)) : nullptr;
        if (block == nullptr) out_of_memory();
        return static_cast<T*>(block);
    }

    // count is what it was allocated for.
    void deallocate(T* block, size_t count) { this->get().deallocate(block, Layout::of<T>(count)); }

    template <class U>
    constexpr bool operator==(const Allocator<U, H>& other) const {
        return reference() == other.reference();
    }

    constexpr const HeapReference<H>& reference() const { return *this; }

private:
    [[noreturn]] static void out_of_memory() {
#if __STDC_HOSTED__ && defined(__cpp_exceptions)
        throw std::bad_alloc();
#else
        __builtin_trap();
#endif
    }
};

}  // namespace slabheap

#endif
