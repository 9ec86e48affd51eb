// SPDX-License-Identifier: MIT
//
// The global operator new and delete, all forms of them, on the heap of slabheap.h. They are an archive of
// their own, libslabheap_new.a, for who wants them: link it before libslabheap.a (and whole, beside a
// sanitizer that brings its own). Compilers know the usual forms by themselves; this header states what they
// do, and declares the others without <new>, beside which it may stand.
//
// Alignment: what `new` asks for, so types may be aligned to anything that slab_alloc can give. A size of 0
// gives a block of its own.
//
// No memory: after the out-of-memory hook said no (slab_heap_set_oom_hook: it is the new-handler here), the
// nothrow forms return null and the others trap, because the archive is compiled without exceptions and C++
// forbids them to return null. A kernel that can go on without the memory uses nothrow, or slab_alloc.
//
// Misuse: delete is slab_free, sized delete is slab_free_sized, and what those report is reported here. To
// delete an object as its smaller base, without a virtual destructor, is a wrong size when the classes
// differ.
//
// Before slab_heap_init there is no memory. A kernel calls it before it runs static constructors; a program
// of an ordinary process, in a function with [[gnu::constructor(101)]], which runs before its static
// objects'.
#ifndef SLABHEAP_NEW_DELETE_HPP
#define SLABHEAP_NEW_DELETE_HPP

#include <stddef.h>

namespace std {
enum class align_val_t : size_t;
struct nothrow_t;
}  // namespace std

#pragma GCC visibility push(default)  // so that a shared C++ library uses them too

[[nodiscard]] void* operator new(size_t size);
[[nodiscard]] void* operator new[](size_t size);
[[nodiscard]] void* operator new(size_t size, std::align_val_t align);
[[nodiscard]] void* operator new[](size_t size, std::align_val_t align);

[[nodiscard]] void* operator new(size_t size, const std::nothrow_t& tag) noexcept;
[[nodiscard]] void* operator new[](size_t size, const std::nothrow_t& tag) noexcept;
[[nodiscard]] void* operator new(size_t size, std::align_val_t align, const std::nothrow_t& tag) noexcept;
[[nodiscard]] void* operator new[](size_t size, std::align_val_t align, const std::nothrow_t& tag) noexcept;

void operator delete(void* ptr) noexcept;
void operator delete[](void* ptr) noexcept;
void operator delete(void* ptr, std::align_val_t align) noexcept;
void operator delete[](void* ptr, std::align_val_t align) noexcept;

void operator delete(void* ptr, size_t size) noexcept;
void operator delete[](void* ptr, size_t size) noexcept;
void operator delete(void* ptr, size_t size, std::align_val_t align) noexcept;
void operator delete[](void* ptr, size_t size, std::align_val_t align) noexcept;

// What a nothrow new calls when the constructor throws.
void operator delete(void* ptr, const std::nothrow_t& tag) noexcept;
void operator delete[](void* ptr, const std::nothrow_t& tag) noexcept;
void operator delete(void* ptr, std::align_val_t align, const std::nothrow_t& tag) noexcept;
void operator delete[](void* ptr, std::align_val_t align, const std::nothrow_t& tag) noexcept;

#pragma GCC visibility pop

#endif
