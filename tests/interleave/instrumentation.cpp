// SPDX-License-Identifier: MIT
//
// What the compiler calls for each access to memory in code that it compiles with -fsanitize=thread: the
// names are the sanitizer's, the library behind them is not linked. So the code under test runs unchanged,
// and every access that it makes comes here with its address, its value and its order.
#include "machine.hpp"

using interleave::machine;

size_t interleave::index_at_rest = 0;

#define CODE __builtin_return_address(0)

namespace {

template <class T>
T load(const volatile void* address, int order, const void* code) {
    T const latest = *static_cast<const volatile T*>(address);
    const void* const place = const_cast<const void*>(address);
    if (!machine.tracks(place)) return latest;
    return static_cast<T>(machine.load({place, sizeof(T), order, code}, latest));
}

template <class T>
void store(volatile void* address, T value, int order, const void* code) {
    volatile T& it = *static_cast<volatile T*>(address);
    void* const place = const_cast<void*>(address);
    if (machine.tracks(place)) machine.store({place, sizeof(T), order, code}, it, value);
    it = value;
}

// next: what becomes of the value.
template <class T, class Next>
T exchange(volatile void* address, Next next, int order, const void* code) {
    volatile T& it = *static_cast<volatile T*>(address);
    void* const place = const_cast<void*>(address);
    T const before = it;
    T const after = static_cast<T>(next(before));
    if (machine.tracks(place)) machine.exchange({place, sizeof(T), order, code}, before, after);
    it = after;
    return before;
}

template <class T>
T compare_exchange(volatile void* address, T expected, T value, int order, int failure, const void* code) {
    T const before = *static_cast<volatile T*>(address);
    if (before == expected)
        return exchange<T>(
            address, [=](T) { return value; }, order, code);
    void* const place = const_cast<void*>(address);
    if (machine.tracks(place)) machine.keep({place, sizeof(T), failure, code}, before);
    return before;
}

void plain(const void* address, unsigned size, bool writes, const void* code) {
    machine.plain({address, size, __ATOMIC_RELAXED, code}, writes);
}

}  // namespace

extern "C" {

void slabheap_step(const volatile void* address, int kind) {
    // This function's frame, and its caller's, begin with a link to the next and the address to return to.
    void** const frame = *static_cast<void***>(__builtin_frame_address(0));
    machine.announce(const_cast<const void*>(address), kind == 'u', frame[1]);
}

void __tsan_init() {}

#define PLAIN(size)                                                              \
    void __tsan_read##size(void* at) { plain(at, size, false, CODE); }           \
    void __tsan_write##size(void* at) { plain(at, size, true, CODE); }           \
    void __tsan_unaligned_read##size(void* at) { plain(at, size, false, CODE); } \
    void __tsan_unaligned_write##size(void* at) { plain(at, size, true, CODE); } \
    void __tsan_volatile_read##size(void* at) { plain(at, size, false, CODE); }  \
    void __tsan_volatile_write##size(void* at) { plain(at, size, true, CODE); }  \
    void __tsan_read_write##size(void* at) { plain(at, size, true, CODE); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)
#undef PLAIN

void __tsan_read_range(void* at, size_t size) { plain(at, static_cast<unsigned>(size), false, CODE); }
void __tsan_write_range(void* at, size_t size) { plain(at, static_cast<unsigned>(size), true, CODE); }

#define CHANGE(bits, T, name, expression)                                        \
    T __tsan_atomic##bits##_##name(volatile T* at, T value, int order) {         \
        return exchange<T>(                                                      \
            at, [=]([[maybe_unused]] T it) { return expression; }, order, CODE); \
    }
#define ATOMIC(bits, T)                                                                                     \
    T __tsan_atomic##bits##_load(const volatile T* at, int order) { return load<T>(at, order, CODE); }      \
    void __tsan_atomic##bits##_store(volatile T* at, T value, int order) { store(at, value, order, CODE); } \
    CHANGE(bits, T, exchange, value)                                                                        \
    CHANGE(bits, T, fetch_add, it + value)                                                                  \
    CHANGE(bits, T, fetch_sub, it - value)                                                                  \
    CHANGE(bits, T, fetch_or, it | value)                                                                   \
    CHANGE(bits, T, fetch_and, (it & value))                                                                \
    CHANGE(bits, T, fetch_xor, it ^ value)                                                                  \
    CHANGE(bits, T, fetch_nand, ~(it & value))                                                              \
    T __tsan_atomic##bits##_compare_exchange_val(volatile T* at, T expected, T value, int order,            \
                                                 int failure) {                                             \
        return compare_exchange(at, expected, value, order, failure, CODE);                                 \
    }                                                                                                       \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile T* at, T* expected, T value, int order,      \
                                                      int failure) {                                        \
        T const before = compare_exchange(at, *expected, value, order, failure, CODE);                      \
        bool const done = before == *expected;                                                              \
        *expected = before;                                                                                 \
        return done;                                                                                        \
    }                                                                                                       \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile T* at, T* expected, T value, int order,        \
                                                    int failure) {                                          \
        return __tsan_atomic##bits##_compare_exchange_strong(at, expected, value, order, failure);          \
    }
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
#undef ATOMIC
#undef CHANGE

void __tsan_atomic_thread_fence(int) { machine.fence(CODE); }
void __tsan_atomic_signal_fence(int) {}

// --- the hooks ----------------------------------------------------------------------------------------

size_t cpu_index() {
    if (!machine.running()) return interleave::index_at_rest;
    if (machine.context() == CONTEXT_THREAD && !machine.preemption_stopped())
        machine.fail(
            "cpu_index is asked in a thread that could move to another CPU before it uses the answer");
    return machine.index();
}
cpu_context cpu_current_context() { return machine.running() ? machine.context() : CONTEXT_THREAD; }

uintptr_t cpu_stop_interrupts() {
    if (!machine.running()) return 0;
    machine.hook("cpu_stop_interrupts", CODE);
    uintptr_t const before = machine.interrupts_on();
    machine.set_interrupts(false);
    return before;
}
void cpu_restore_interrupts(uintptr_t flags) {
    if (!machine.running()) return;
    machine.hook("cpu_restore_interrupts", CODE);
    machine.set_interrupts(flags != 0);
}
void cpu_stop_preemption() {
    if (machine.running()) machine.stop_preemption();
}
void cpu_resume_preemption() {
    if (machine.running()) machine.resume_preemption();
}
void cpu_pause() { machine.pause(CODE); }

}  // extern "C"
