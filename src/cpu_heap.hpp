// SPDX-License-Identifier: MIT
//
// CpuHeap: a heap that CPUs, and the contexts of each, share. Here is the protocol; who locks and waits for
// whom is decided above it, by SharedHeap (shared_heap.hpp), for whatever CPUs and lock there are.
//
//   fronts  Each CPU has its own. A call sets `busy`, looks whether the heap is `closed`, works, clears busy:
//           no lock, no locked instruction. Who finds the fronts of its CPU busy has interrupted the call
//           that uses them, and works without any.
//   marks   Allocating stores a 1 into a byte that nobody else has. Freeing exchanges it for a 0: whoever
//           gets the 1 owns the free, and any other is told of.
//   pools   Anybody gives a slot back by fetch_or, at any time. What that makes of the slab is settled by
//           whoever holds the page lock next: the page is pending (pending.hpp). Only the holder takes.
//   pages   All else belongs to the holder of the page lock.
//
// Taking back what other CPUs have in their fronts is a Dekker handshake whose one side costs nothing
// (Dice et al., "Asymmetric Dekker Synchronization", 2001):
//
//           a call                     who takes back
//           busy = 1                   closed = 1
//           if (closed) not here       barrier on every CPU
//           ... fronts ...             if (!busy) ... fronts ..., holding the page lock
//           busy = 0 (release)         closed = 0 (release)
//
// After the barrier a call either has seen `closed`, or its `busy` is seen. While the heap is closed, calls
// use their fronts under the page lock.
//
// Each function says who may call it: at any time, or [locked], the holder of the page lock. A CPU stays the
// same throughout.
#ifndef SLABHEAP_CPU_HEAP_HPP
#define SLABHEAP_CPU_HEAP_HPP

#include <slabheap/shared_heap.hpp>

#include "heap_core.hpp"
#include "memory.hpp"

namespace slabheap {

class CpuHeap : private HeapCore {
public:
    // [locked] While but one CPU uses the heap.
    using HeapCore::init;
    int set_cpus(size_t count, void* memory, size_t size);
    static constexpr size_t cpu_memory(size_t count) { return count <= 1 ? 0 : count << cpu_fronts_shift; }

    // [locked]
    int add_memory(uintptr_t start, size_t size);

    size_t cpu_count() const { return front_count_; }
    CpuFronts* fronts_of(size_t cpu) const { return cpu < front_count_ ? &Slabs::fronts_of(cpu) : nullptr; }

    // The usual cases: nobody waits for anybody. False: nothing has changed, and the slow call is due.
    [[gnu::always_inline]] bool allocate_fast(Word cpu, size_t size, size_t align, void*& block) {
        if (!is_small(size, align) || cpu >= front_count_) [[unlikely]]
            return false;
        CpuFronts& fronts = Slabs::fronts_of(cpu);
        if (!enter(fronts)) [[unlikely]]
            return false;
        if (is_due_for_guard(fronts)) [[unlikely]] {
            leave(fronts);
            return false;
        }
        uintptr_t address;
        bool const taken = take_front_slot(fronts, class_of(size, align), size, address);
        leave(fronts);
        block = reinterpret_cast<void*>(address);
        if (taken) block = HeapCore::prepare(block, size);
        return taken;
    }
    [[gnu::always_inline]] bool free_fast(Word cpu, void* ptr, bool is_alone, Word least_class = 0) {
        if constexpr (defences::touch_blocks) return false;
        uintptr_t const address = reinterpret_cast<uintptr_t>(ptr);
        Word const mark = primary_.mark_at(address);
        if (mark >= primary_.known() || cpu >= front_count_) [[unlikely]]
            return false;
        CpuFronts& fronts = Slabs::fronts_of(cpu);
        if (!enter(fronts)) [[unlikely]]
            return false;
        Word const size_class = atomic::load<atomic::relaxed>(primary_.tag(address));
        bool const may_claim = size_class >= least_class && (defences::checks || size_class < class_count);
        bool const claimed = may_claim && claim(primary_.live_start[mark], is_alone);
        if (claimed && !push<Pools::shared>(fronts, size_class, address)) [[unlikely]]
            place_slowly_shared(fronts, size_class, address);
        leave(fronts);
        return claimed;
    }
    [[gnu::always_inline]] bool free_sized_fast(Word cpu, void* ptr, size_t size, size_t align,
                                                bool is_alone) {
        return is_small(size, align) && larger_classes_align(align) &&
               free_fast(cpu, ptr, is_alone, class_of(size, align));
    }

    // Can anything serve it?
    [[gnu::cold]] bool is_possible(size_t size, size_t align, Request& request) const;
    [[gnu::cold]] bool is_possible_run(size_t count, size_t align, Request& request) const;
    [[gnu::cold]] void* refuse();

    // [locked] A slot or a run that is at hand; null: none is. Bounded.
    [[gnu::cold]] void* take_at_hand(CpuFronts* fronts, Request const& request);
    // [locked] A slot of a larger class, of a pool: fronts were emptied. Null: there is none.
    [[gnu::cold]] void* take_larger(Request const& request);
    // [locked] A run of pages across buddy blocks, from a page of a region on; looks at a bounded part of
    // the heap, and moves on. Null with cursor.ended: there is none.
    [[gnu::cold]] void* search(Request const& request, Cursor& cursor);

    // [locked] A part of what makes room; bounded. True: there may be more to do.
    [[gnu::always_inline]] bool settle_some() { return settle_pending(settled_at_once); }
    [[gnu::cold]] bool return_some_spares();
    // Empties the next stack or word: of the CPU that calls; or of another, while the heap is closed and its
    // fronts are not busy.
    [[gnu::cold]] bool empty_next(CpuFronts* fronts, unsigned& next);
    [[gnu::cold]] bool take_back_next(CpuFronts& fronts, unsigned& next);

    // [locked] From here on, until it is opened as often, calls use fronts under the lock only.
    [[gnu::cold]] void close();
    [[gnu::cold]] void open();
    static bool is_busy(CpuFronts const& fronts) { return atomic::load<atomic::acquire>(fronts.busy) != 0; }

    // What a user's pointer stands for, and the pointer that a user gets (shadow.hpp).
    static uintptr_t number(const void* ptr) { return shadow::address_of(ptr); }
    static void* pointer(uintptr_t address) { return shadow::pointer_to(address); }

    // Claims a block, and takes a slot back.
    [[gnu::cold]] Freed free(CpuFronts* fronts, uintptr_t address, Claim const& expected, bool is_alone,
                             Way way, Damage& damage);
    using HeapCore::make_pending;
    // [locked] The pages of a large block that was freed.
    [[gnu::cold]] void settle_large(uintptr_t address);

    // Looks at a block that nobody frees meanwhile. Size 0: there is none.
    size_t block_size(uintptr_t address) const {
        Block const block = live_block(address);
        return block.size == 0 ? 0 : requested(address, block);
    }
    bool is_large(uintptr_t address) const { return live_block(address).is_large(); }
    // Does its slot do for the request? Does a run, [locked]?
    [[gnu::cold]] bool slot_fits(uintptr_t address, size_t size, size_t align) const;
    [[gnu::cold]] bool resize_run(uintptr_t address, size_t size, size_t align);

    // Around resize_run: the guard of a large block that is resized in place is out of its way. Calls hooks.
    Opening open_guard(uintptr_t address, size_t size) {
        if constexpr (defences::guard) return open_guard_of(address, size);
        return Opening::none;
    }
    void close_guard(uintptr_t address) {
        if constexpr (defences::guard) close_guard_of(address);
    }
    // The freed small blocks that rest behind guards: their pages are pending then. Calls hooks.
    void return_resting() {
        if constexpr (defences::guard) make_resting_pending();
    }

    // What an address is that cannot be freed: [locked], or what can be said without.
    [[gnu::cold]] Diagnosis examine(uintptr_t address, bool is_locked) const;
    [[gnu::cold]] void report(CallSite site, uintptr_t address, Claim const& expected,
                              Diagnosis const& found);

    using HeapCore::noted;
    void* prepare(void* block, size_t size) {
        close_new_guard(reinterpret_cast<uintptr_t>(block));
        return HeapCore::prepare(block, size);
    }
    using HeapCore::report;
    using HeapCore::resized;
    static void copy(void* to, const void* from, size_t size) {
        slabheap::copy(reinterpret_cast<uintptr_t>(to), reinterpret_cast<uintptr_t>(from), size);
    }
    static void zero(void* block, size_t size) { slabheap::zero(reinterpret_cast<uintptr_t>(block), size); }
    [[gnu::cold]] bool ask_for_memory(Request const& request) {
        return asked_for_memory(request.size, request.align);
    }

    // [locked]
    using HeapCore::release;
    int reserve(uintptr_t start, size_t size) { return reserve_free(start, size); }
    using HeapCore::audit;
    using HeapCore::inject_failures;
    using HeapCore::seed;
    using HeapCore::set_fault_handler;
    using HeapCore::set_guard_hooks;
    using HeapCore::set_oom_hook;
    using HeapCore::stats;
    // [locked] The first live block at or behind the address. Size 0: there is none before the address that
    // is returned, or at all, if that is 0.
    [[gnu::cold]] FoundBlock next_block(uintptr_t address);

    slab_barrier_hook barrier_hook() const { return barrier_hook_; }
    [[gnu::cold]] slab_barrier_hook set_barrier_hook(slab_barrier_hook hook);

private:
    // What is done before the lock is dropped: pages settled (slab.hpp), slabs that a CPU takes slots from or
    // that are looked through for a block, spares returned, pieces of a region searched.
    static constexpr unsigned settled_at_once = 12;
    static constexpr unsigned slabs_at_once = 8;
    static constexpr unsigned spares_at_once = 4;
    static constexpr unsigned pieces_at_once = 16;

    [[gnu::always_inline]] static bool begin(CpuFronts& fronts) {
        if (atomic::load<atomic::relaxed>(fronts.busy) != 0) return false;
        atomic::store<atomic::relaxed>(fronts.busy, uint8_t{1});
        atomic::compiler_fence();
        return true;
    }
    [[gnu::always_inline]] bool enter(CpuFronts& fronts) {
        if (!begin(fronts)) [[unlikely]]
            return false;
        // Acquire: pairs with the store in open, so that the fronts are seen as they were left.
        if (atomic::load<atomic::acquire>(closed_) == 0) [[likely]]
            return true;
        leave(fronts);
        return false;
    }
    // Release: pairs with the load in is_busy.
    [[gnu::always_inline]] static void leave(CpuFronts& fronts) {
        atomic::compiler_fence();
        atomic::store<atomic::release>(fronts.busy, uint8_t{0});
    }
    // The holder of the lock uses fronts even while the heap is closed.
    class Visit;

    // Whoever claims a live block frees it. Relaxed: what is done with the slot pairs elsewhere. The exchange
    // looks at nothing first: to read a mark that another CPU has written would fetch its line twice.
    [[gnu::always_inline]] static bool claim(uint8_t& mark, bool is_alone) {
        if constexpr (!defences::checks) {
            atomic::store<atomic::relaxed>(mark, uint8_t{0});
            return true;
        }
        if (is_alone) {
            uint8_t live = 1;
            return atomic::compare_exchange<atomic::relaxed>(mark, live, uint8_t{0}, Among::contexts);
        }
#ifdef SLABHEAP_RELAXED_CLAIM
        if (atomic::load<atomic::relaxed>(mark) == 0) return false;
        atomic::store<atomic::relaxed>(mark, uint8_t{0});
        return true;
#else
        return atomic::exchange<atomic::relaxed>(mark, uint8_t{0}, Among::cpus) != 0;
#endif
    }
    [[gnu::cold]] Freed free_guarded(uintptr_t address, Block block, Damage& damage);
    [[gnu::cold]] void make_resting_pending();
    bool is_right(Claim const& expected, uintptr_t address, Block block) const;

    slab_barrier_hook barrier_hook_;
};

}  // namespace slabheap

#endif
