// SPDX-License-Identifier: MIT
//
// The global operator new and delete: a line for each form, on the C ABI alone.
#include <slabheap/new_delete.hpp>
#include <slabheap/slabheap.h>

using std::align_val_t;
using std::nothrow_t;

namespace {

// What a type is aligned to unless it says otherwise.
constexpr align_val_t usual{__STDCPP_DEFAULT_NEW_ALIGNMENT__};

void* try_new(size_t size, align_val_t align) { return slab_alloc(size, static_cast<size_t>(align)); }

void* must_new(size_t size, align_val_t align) {
    void* const block = try_new(size, align);
    if (block == nullptr) __builtin_trap();
    return block;
}

void sized_delete(void* ptr, size_t size, align_val_t align) {
    slab_free_sized(ptr, size, static_cast<size_t>(align));
}

}  // namespace

void* operator new(size_t size) { return must_new(size, usual); }
void* operator new[](size_t size) { return must_new(size, usual); }
void* operator new(size_t size, align_val_t align) { return must_new(size, align); }
void* operator new[](size_t size, align_val_t align) { return must_new(size, align); }

void* operator new(size_t size, const nothrow_t&) noexcept { return try_new(size, usual); }
void* operator new[](size_t size, const nothrow_t&) noexcept { return try_new(size, usual); }
void* operator new(size_t size, align_val_t align, const nothrow_t&) noexcept { return try_new(size, align); }
void* operator new[](size_t size, align_val_t align, const nothrow_t&) noexcept {
    return try_new(size, align);
}

void operator delete(void* ptr) noexcept { slab_free(ptr); }
void operator delete[](void* ptr) noexcept { slab_free(ptr); }
void operator delete(void* ptr, align_val_t) noexcept { slab_free(ptr); }
void operator delete[](void* ptr, align_val_t) noexcept { slab_free(ptr); }

void operator delete(void* ptr, size_t size) noexcept { sized_delete(ptr, size, usual); }
void operator delete[](void* ptr, size_t size) noexcept { sized_delete(ptr, size, usual); }
void operator delete(void* ptr, size_t size, align_val_t align) noexcept { sized_delete(ptr, size, align); }
void operator delete[](void* ptr, size_t size, align_val_t align) noexcept { sized_delete(ptr, size, align); }

void operator delete(void* ptr, const nothrow_t&) noexcept { slab_free(ptr); }
void operator delete[](void* ptr, const nothrow_t&) noexcept { slab_free(ptr); }
void operator delete(void* ptr, align_val_t, const nothrow_t&) noexcept { slab_free(ptr); }
void operator delete[](void* ptr, align_val_t, const nothrow_t&) noexcept { slab_free(ptr); }
