// SPDX-License-Identifier: MIT
//
// Shadow: somebody beside the heap knows of each byte of it whether it may be touched, and tells who touches
// one that may not: a tool that a host's tests run under, or the CPU. A build option (-Dshadow=...):
//
//   asan      AddressSanitizer, for whoever compiles with -fsanitize=address: a byte of shadow for each eight
//   valgrind  Valgrind's memcheck: requests that do nothing outside of Valgrind
//   mte       AArch64's memory tagging: a tag for each 16 bytes, and one in each pointer that a user gets
//
// The invariant: a byte of the heap's pages is open while it is one that a live block's user asked for, or
// lies in a reserved range; any other is closed. So the shadow changes only with a region, a block, or a
// reserved range, and not with what slabs and free pages become.
//
// Each request grows by a red zone, which stays closed: so behind each block, and before the next one, there
// is something to run into. Which bytes a block's user asked for is kept in the page map (defences.hpp).
//
// Without a shadow all of this is empty; with one, init and add_memory cost in proportion to the region.
#ifndef SLABHEAP_SHADOW_HPP
#define SLABHEAP_SHADOW_HPP

#include "bits.hpp"

#ifdef SLABHEAP_SHADOW_VALGRIND
#include <valgrind/memcheck.h>
#endif

namespace slabheap::shadow {

#if defined SLABHEAP_SHADOW_ASAN || defined SLABHEAP_SHADOW_VALGRIND || defined SLABHEAP_SHADOW_MTE
constexpr bool is_kept = true;
#else
constexpr bool is_kept = false;
#endif
#ifdef SLABHEAP_SHADOW_VALGRIND
// Does the tool look for pointers to blocks? Then the heap keeps none to what it has handed out, if it can.
constexpr bool seeks_leaks = true;
#else
constexpr bool seeks_leaks = false;
#endif
// At least one granule of a tag: blocks start at multiples of it.
constexpr size_t red_zone = is_kept ? 16 : 0;

#if defined SLABHEAP_SHADOW_ASAN

// What AddressSanitizer's allocator writes into the shadow of its own blocks; so it tells of ours in the same
// words. The first bytes of a group may be open: then the group's shadow is their number.
constexpr unsigned char behind_block = 0xfa;  // heap-buffer-overflow
constexpr unsigned char freed_block = 0xfd;   // heap-use-after-free
constexpr size_t group = 8;

// Absent in a program that is linked without the tool.
extern "C" [[gnu::weak, gnu::visibility("default")]] void __asan_get_shadow_mapping(size_t* scale,
                                                                                    size_t* offset);

// Start is a group's.
inline void set(uintptr_t start, uintptr_t end, unsigned char what) {
    if (__asan_get_shadow_mapping == nullptr) return;
    size_t scale, offset;
    __asan_get_shadow_mapping(&scale, &offset);
    for (; start < end; start += group)
        *reinterpret_cast<unsigned char*>((start >> scale) + offset) =
            what != 0 || end - start >= group ? what : static_cast<unsigned char>(end - start);
}

inline void close(uintptr_t start, uintptr_t end) { set(start, end, behind_block); }
inline void close_region(uintptr_t start, uintptr_t, uintptr_t end) { close(start, end); }
inline void open(uintptr_t start, uintptr_t end) { set(start, end, 0); }
inline void open_block(uintptr_t address, size_t size, uintptr_t end) {
    set(address + size / group * group, end, behind_block);
    set(address, address + size, 0);
}
inline void resize_block(uintptr_t address, size_t, size_t size, uintptr_t end) {
    open_block(address, size, end);
}
inline void close_block(uintptr_t address, uintptr_t end) { set(address, end, freed_block); }
inline void tell_misuse(uintptr_t) {}

#elif defined SLABHEAP_SHADOW_VALGRIND

inline void close(uintptr_t start, uintptr_t end) { VALGRIND_MAKE_MEM_NOACCESS(start, end - start); }
// The tool sees the library, too, which must come to its page map.
inline void close_region(uintptr_t, uintptr_t pages, uintptr_t end) { close(pages, end); }
inline void open(uintptr_t start, uintptr_t end) { VALGRIND_MAKE_MEM_DEFINED(start, end - start); }
inline void open_block(uintptr_t address, size_t size, uintptr_t) {
    VALGRIND_MALLOCLIKE_BLOCK(address, size, 0, false);
}
inline void resize_block(uintptr_t address, size_t before, size_t size, uintptr_t) {
    VALGRIND_RESIZEINPLACE_BLOCK(address, before, size, 0);
}
inline void close_block(uintptr_t address, uintptr_t) { VALGRIND_FREELIKE_BLOCK(address, 0); }
// A free of what is no block: so the tool says who freed it before.
inline void tell_misuse(uintptr_t address) { VALGRIND_FREELIKE_BLOCK(address, 0); }

#elif defined SLABHEAP_SHADOW_MTE

constexpr size_t group = 16;
constexpr unsigned tag_shift = 56;

constexpr Word bit_of_tag(uintptr_t address) { return bit(address >> tag_shift & 15); }

// An address with the tag that its memory has. What is closed has the tag of plain addresses, which are the
// heap's own, or one that no pointer has.
inline uintptr_t tagged(uintptr_t address) {
    __asm__ volatile("ldg %0, [%0]" : "+r"(address) : : "memory");
    return address;
}
// With another tag, at random.
inline uintptr_t tagged_anew(uintptr_t address) {
    Word const excluded = bit_of_tag(address) | bit_of_tag(tagged(address));
    __asm__ volatile("irg %0, %0, %1" : "+r"(address) : "r"(excluded));
    return address;
}
inline void set(uintptr_t start, uintptr_t end, uintptr_t tagged) {
    for (; start < end; start += group)
        __asm__ volatile("stg %1, [%0]" : : "r"(start), "r"(tagged) : "memory");
}

inline void close(uintptr_t start, uintptr_t end) { set(start, end, start); }
inline void close_region(uintptr_t start, uintptr_t, uintptr_t end) { close(start, end); }
inline void open(uintptr_t start, uintptr_t end) { close(start, end); }
inline void resize_block(uintptr_t address, size_t, size_t size, uintptr_t end) {
    uintptr_t const tail = address + (size + group - 1) / group * group;
    set(address, tail, tagged(address));
    set(tail, end, address);
}
inline void open_block(uintptr_t address, size_t size, uintptr_t end) {
    if (tagged(address) == address) set(address, address + group, tagged_anew(address));
    resize_block(address, 0, size, end);
}
// A freed block's new tag, which no pointer has, is that of its next user's pointers.
inline void close_block(uintptr_t address, uintptr_t end) { set(address, end, tagged_anew(address)); }
inline void tell_misuse(uintptr_t) {}

#else

// Not called.
void close(uintptr_t, uintptr_t);
void open(uintptr_t, uintptr_t);
void tell_misuse(uintptr_t);

inline void close_region(uintptr_t, uintptr_t, uintptr_t) {}
inline void open_block(uintptr_t, size_t, uintptr_t) {}
inline void resize_block(uintptr_t, size_t, size_t, uintptr_t) {}
inline void close_block(uintptr_t, uintptr_t) {}

#endif

#ifdef SLABHEAP_SHADOW_MTE
// The address that a user's pointer stands for: its bits below the tag, extended as bit 55 is. And back.
inline uintptr_t address_of(const void* ptr) {
    constexpr unsigned unused = word_bits - tag_shift;
    return static_cast<uintptr_t>(static_cast<intptr_t>(reinterpret_cast<uintptr_t>(ptr) << unused) >>
                                  unused);
}
inline void* pointer_to(uintptr_t address) { return reinterpret_cast<void*>(tagged(address)); }
#else
inline uintptr_t address_of(const void* ptr) { return reinterpret_cast<uintptr_t>(ptr); }
inline void* pointer_to(uintptr_t address) { return reinterpret_cast<void*>(address); }
#endif

// While there is one, the heap may touch what is closed. AddressSanitizer sees only what is compiled with it,
// which the library is not.
class [[maybe_unused]] Unseen {
public:
#if defined SLABHEAP_SHADOW_VALGRIND
    Unseen() { VALGRIND_DISABLE_ERROR_REPORTING; }
    ~Unseen() { VALGRIND_ENABLE_ERROR_REPORTING; }
#elif defined SLABHEAP_SHADOW_MTE
    Unseen() { __asm__ volatile("mrs %0, tco\n\tmsr tco, #1" : "=r"(before_) : : "memory"); }
    ~Unseen() { __asm__ volatile("msr tco, %0" : : "r"(before_) : "memory"); }

private:
    uintptr_t before_;
#endif
};

}  // namespace slabheap::shadow

#endif
