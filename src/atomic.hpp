// SPDX-License-Identifier: MIT
//
// Every access to memory that CPUs share, or a CPU and what interrupts it. Two forms of each change:
//
//   Among::cpus      other CPUs may be at it: one locked instruction
//   Among::contexts  only interrupt handlers and NMIs of this CPU may: one instruction that no interrupt can
//                    cut in two, but unlocked, which takes a fifth of the time (x86; elsewhere the same form)
//
// Orders are C++20's, and each use says which access it pairs with.
//
// Built with SLABHEAP_SCHEDULED, each access calls slabheap_step first, where a model checker may let another
// CPU run.
#ifndef SLABHEAP_ATOMIC_HPP
#define SLABHEAP_ATOMIC_HPP

#include "bits.hpp"

// ThreadSanitizer does not see what assembler instructions do.
#ifdef __SANITIZE_THREAD__
#define SLABHEAP_THREAD_SANITIZER
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define SLABHEAP_THREAD_SANITIZER
#endif
#endif

#ifdef SLABHEAP_SCHEDULED
// kind: 'l' load, 's' store, 'x' a locked change, 'u' an unlocked one.
extern "C" void slabheap_step(const volatile void* address, int kind);
#endif

namespace slabheap {

enum class Among : bool { contexts, cpus };

namespace atomic {

constexpr int relaxed = __ATOMIC_RELAXED;
constexpr int acquire = __ATOMIC_ACQUIRE;
constexpr int release = __ATOMIC_RELEASE;
constexpr int acq_rel = __ATOMIC_ACQ_REL;

[[gnu::always_inline]] inline void step([[maybe_unused]] const volatile void* address,
                                        [[maybe_unused]] int kind) {
#ifdef SLABHEAP_SCHEDULED
    slabheap_step(address, kind);
#endif
}

template <int order, class T>
[[gnu::always_inline]] inline T load(T const& from) {
    step(&from, 'l');
    return __atomic_load_n(&from, order);
}

template <int order, class T>
[[gnu::always_inline]] inline void store(T& to, T value) {
    step(&to, 's');
    __atomic_store_n(&to, value, order);
}

// Keeps the compiler, but not the CPU, from moving accesses across.
[[gnu::always_inline]] inline void compiler_fence() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

// RISC-V has no instruction that changes a byte, and GCC 12 would call a library there: the byte changes in
// its word. A store to a byte beside it comes before or after, as it would with the library.
inline bool compare_exchange_in_word(uint8_t& x, uint8_t& expected, uint8_t desired, int order) {
    using AnyWord [[gnu::may_alias]] = Word;
    uintptr_t const address = reinterpret_cast<uintptr_t>(&x), place = address % sizeof(Word);
    AnyWord& word = *reinterpret_cast<AnyWord*>(address - place);
    unsigned const shift = static_cast<unsigned>(place * 8);  // little-endian
    for (Word before = __atomic_load_n(&word, relaxed);;) {
        uint8_t const found = static_cast<uint8_t>(before >> shift);
        if (found != expected) {
            expected = found;
            return false;
        }
        Word const after = before ^ (Word{found} ^ desired) << shift;
        if (__atomic_compare_exchange_n(&word, &before, after, false, order, relaxed)) return true;
    }
}

template <class T>
constexpr bool has_instructions = __atomic_always_lock_free(sizeof(T), nullptr);

template <int order, class T>
[[gnu::always_inline]] inline bool compare_exchange_locked(T& x, T& expected, T desired) {
    if constexpr (has_instructions<T>) {
        return __atomic_compare_exchange_n(&x, &expected, desired, false, order, relaxed);
    } else {
        return compare_exchange_in_word(x, expected, desired, order);
    }
}

#if (defined __x86_64__ || defined __i386__) && !defined SLABHEAP_SCHEDULED && \
    !defined SLABHEAP_THREAD_SANITIZER
template <class T>
[[gnu::always_inline]] inline bool compare_exchange_unlocked(T& x, T& expected, T desired) {
    bool done;
    __asm__ volatile("cmpxchg %3, %1" : "=@ccz"(done), "+m"(x), "+a"(expected) : "q"(desired) : "memory");
    return done;
}
#else
template <class T>
inline bool compare_exchange_unlocked(T& x, T& expected, T desired) {
    return compare_exchange_locked<relaxed>(x, expected, desired);
}
#endif

// If x is expected, makes it desired; else tells in expected what it is.
template <int order, class T>
[[gnu::always_inline]] inline bool compare_exchange(T& x, T& expected, T desired, Among among) {
    step(&x, among == Among::cpus ? 'x' : 'u');
    if (among == Among::contexts) return compare_exchange_unlocked(x, expected, desired);
    return compare_exchange_locked<order>(x, expected, desired);
}

// The rest return what x was.
template <class T, class Change>
inline T change_unlocked(T& x, Change change) {
    step(&x, 'u');
    T before = x;
    while (!compare_exchange_unlocked(x, before, change(before))) {
    }
    return before;
}

template <int order, class T>
inline T exchange(T& x, T value, Among among) {
    if (among == Among::contexts) return change_unlocked(x, [value](T) { return value; });
    step(&x, 'x');
    if constexpr (has_instructions<T>) {
        return __atomic_exchange_n(&x, value, order);
    } else {
        T before = load<relaxed>(x);
        while (!compare_exchange_locked<order>(x, before, value)) {
        }
        return before;
    }
}

template <int order>
inline Word fetch_or(Word& x, Word bits, Among among) {
    if (among == Among::contexts) return change_unlocked(x, [bits](Word before) { return before | bits; });
    step(&x, 'x');
    return __atomic_fetch_or(&x, bits, order);
}

template <int order>
inline Word fetch_and(Word& x, Word bits, Among among) {
    if (among == Among::contexts) return change_unlocked(x, [bits](Word before) { return before & bits; });
    step(&x, 'x');
    return __atomic_fetch_and(&x, bits, order);
}

inline void add(Word& x, Word value, Among among) {
    if (among == Among::contexts) {
        change_unlocked(x, [value](Word before) { return before + value; });
        return;
    }
    step(&x, 'x');
    __atomic_fetch_add(&x, value, relaxed);
}

// Adds to a counter that only its owner changes and others read.
[[gnu::always_inline]] inline void count(Word& x, Word value) {
#if (defined __x86_64__ || defined __i386__) && !defined SLABHEAP_SCHEDULED && \
    !defined SLABHEAP_THREAD_SANITIZER
    if constexpr (sizeof(Word) == 8) {
        __asm__("addq %1, %0" : "+m"(x) : "re"(value));
    } else {
        __asm__("addl %1, %0" : "+m"(x) : "ri"(value));
    }
#else
    __atomic_store_n(&x, __atomic_load_n(&x, relaxed) + value, relaxed);
#endif
}

}  // namespace atomic

}  // namespace slabheap

#endif
