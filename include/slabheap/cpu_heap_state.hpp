// SPDX-License-Identifier: MIT
//
// What SharedHeap (shared_heap.hpp) is made of: the state of a heap that CPUs share, and the steps that a
// call consists of. Not for direct use. Who may call what, and when, is said where it is done
// (src/cpu_heap.hpp).
#ifndef SLABHEAP_CPU_HEAP_STATE_HPP
#define SLABHEAP_CPU_HEAP_STATE_HPP

#include <slabheap/heap.hpp>

namespace slabheap {

struct CpuFronts;

// Who called: for the fault record.
struct CallSite {
    const char* call;
    const void* caller;
};

// What a request takes: pages, or, if there are 0 of them, a slot.
struct Request {
    uintptr_t pages;
    size_t size;
    size_t align;
};

// What is said to be freed: any block, one of a size and an alignment, or a run of size bytes.
struct Claim {
    enum What { any, sized, run } what;
    size_t size;
    size_t align;
};

// What an address is, as far as the page map tells.
struct Diagnosis {
    slab_fault_kind kind;  // what freeing it would be
    uintptr_t block;       // start of the block, live or freed, that it belongs to; 0: of none
    size_t block_size;
};

// What was written where nobody may write; at 0: nothing was.
struct Damage {
    uintptr_t at;            // the first byte
    size_t size;             // that was asked for
    Diagnosis what;          // the kind, and the block
    const void* noted;       // who allocated it, or freed it; of a free that is to be made, who makes it
    unsigned char found[8];  // bytes from there on
};

// Where a freed slot goes.
enum class Way { front, pool };

// What freeing an address has come to. Of a large block the pages are still to be settled; closed: nothing
// was done, because what is free is wanted in the pools just now.
enum class Freed { done, large, not_a_block, wrong_size, closed };

// What became of the guard behind a large block that is to be resized: there is none in the way, it is open
// and to be closed again, or it cannot be opened.
enum class Opening { none, open, stuck };

// Where a search goes on.
struct Cursor {
    unsigned region;
    uintptr_t page;
    bool ended;
};

struct FoundBlock {
    uintptr_t address;
    size_t size;
};

class CpuHeapState {
public:
    int init(uintptr_t start, size_t size);
    int set_cpus(size_t count, void* memory, size_t size);
    int add_memory(uintptr_t start, size_t size);

    size_t cpu_count() const;
    CpuFronts* fronts_of(size_t cpu);
    bool allocate_fast(size_t cpu, size_t size, size_t align, void*& block);
    bool free_fast(size_t cpu, void* ptr, bool is_alone);
    bool free_sized_fast(size_t cpu, void* ptr, size_t size, size_t align, bool is_alone);

    bool is_possible(size_t size, size_t align, Request& request) const;
    bool is_possible_run(size_t count, size_t align, Request& request) const;
    void* refuse();
    void* take_at_hand(CpuFronts* fronts, Request const& request);
    void* take_larger(Request const& request);
    void* search(Request const& request, Cursor& cursor);

    bool settle_some();
    bool return_some_spares();
    bool empty_next(CpuFronts* fronts, unsigned& next);
    bool take_back_next(CpuFronts& fronts, unsigned& next);
    void close();
    void open();
    bool is_busy(CpuFronts const& fronts) const;

    static uintptr_t number(const void* ptr);
    static void* pointer(uintptr_t address);
    Freed free(CpuFronts* fronts, uintptr_t address, Claim const& expected, bool is_alone, Way way,
               Damage& damage);
    void make_pending(uintptr_t address);
    void settle_large(uintptr_t address);

    size_t block_size(uintptr_t address) const;
    bool slot_fits(uintptr_t address, size_t size, size_t align) const;
    bool resize_run(uintptr_t address, size_t size, size_t align);
    Opening open_guard(uintptr_t address, size_t size);
    void close_guard(uintptr_t address);
    void return_resting();

    Diagnosis examine(uintptr_t address, bool is_locked) const;
    void report(CallSite site, uintptr_t address, Claim const& expected, Diagnosis const& found);
    void report(CallSite site, Damage const& damage);
    void* prepare(void* block, size_t size);
    void* noted(void* block, CallSite site);
    void resized(void* block, size_t size, CallSite site);
    bool ask_for_memory(Request const& request);
    void copy(void* to, const void* from, size_t size);
    void zero(void* block, size_t size);

    int reserve(uintptr_t start, size_t size);
    int release(uintptr_t start, size_t size);
    void stats(slab_stats& out) const;
    int audit(slab_audit* out) const;
    FoundBlock next_block(uintptr_t address);

    slab_fault_handler set_fault_handler(slab_fault_handler handler);
    slab_oom_hook set_oom_hook(slab_oom_hook hook);
    void seed(uint64_t entropy);
    slab_barrier_hook set_barrier_hook(slab_barrier_hook hook);
    bool set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in);
    slab_barrier_hook barrier_hook() const;
    size_t inject_failures(slab_injection const* plan);

private:
    static constexpr size_t state_words = 4 * SLAB_MAX_REGIONS + 80 * SLAB_MAX_CLASSES + 192;
    alignas(64) unsigned char state_[state_words * sizeof(uintptr_t)] = {};
};

// Bytes that fronts for so many CPUs take.
size_t cpu_memory(size_t count);

}  // namespace slabheap

#endif
