// SPDX-License-Identifier: MIT
//
// Threads as CPUs. Indices are bits of a few words; a thread takes one at its first call, and its end, told
// by a thread-specific key's destructor, gives it back. Threads beyond the limit have none: they share the
// pools under the page lock.
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu_heap.hpp"
#include "hooked_cpu.hpp"

using slabheap::CpuFronts;
using slabheap::Word;
using slabheap::word_bits;
namespace atomic = slabheap::atomic;

namespace {

constexpr size_t most_threads = 256;

alignas(CpuFronts) unsigned char fronts[slabheap::CpuHeap::cpu_memory(most_threads)];
Word taken[most_threads / word_bits];
pthread_key_t key;
bool has_key;

int barrier() { return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0; }

// Later destructors of the thread may call the heap once more: then it enrols again.
void leave(void* number) {
    size_t const index = reinterpret_cast<uintptr_t>(number) - 1;
    slabheap_thread_number = 0;
    slabheap::empty_fronts_of(index);
    // Release: pairs with the fetch_or of who takes the index next.
    atomic::fetch_and<atomic::release>(taken[index / word_bits], ~slabheap::bit_of(index),
                                       slabheap::Among::cpus);
}

size_t take_index() {
    for (size_t w = 0; w < most_threads / word_bits; ++w) {
        for (Word free; (free = ~atomic::load<atomic::relaxed>(taken[w])) != 0;) {
            unsigned const digit = slabheap::lowest_bit(free);
            Word const before =
                atomic::fetch_or<atomic::acquire>(taken[w], slabheap::bit(digit), slabheap::Among::cpus);
            if ((before & slabheap::bit(digit)) == 0) return w * word_bits + digit;
        }
    }
    return SIZE_MAX;
}

}  // namespace

__thread size_t slabheap_thread_number;

size_t slabheap_enrol_thread() {
    if (!has_key) return SIZE_MAX;
    size_t const index = take_index();
    slabheap_thread_number = index + 1;
    if (index != SIZE_MAX) pthread_setspecific(key, reinterpret_cast<void*>(index + 1));
    return index;
}

void slabheap_yield() { sched_yield(); }

void slabheap_heap_ready() {
#ifdef SLABHEAP_SHADOW_ASAN
    slabheap_tell_of_blocks();
#endif
    has_key = pthread_key_create(&key, leave) == 0;
    slab_heap_set_cpus(most_threads, fronts, sizeof fronts);
    bool const has_barrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    if (has_barrier) slab_heap_set_barrier_hook(barrier);
}
