// SPDX-License-Identifier: MIT
//
// slabheap::SharedHeap: a heap for several CPUs, and for threads, interrupt handlers and NMIs of each: what
// the C ABI is, for kernels that want several, or say in C++ what a CPU and a lock are. Small blocks are
// taken and given without a lock; src/README.md says how. Before set_cpus() it is for one CPU, all contexts.
//
//     struct Cpu {                                            of the CPU that runs; asked once a call
//         static size_t index(size_t cpus);                   0 ... cpus - 1; any other shares by lock
//         static bool may_wait();                             false in an NMI
//         static bool is_alone(size_t cpus);                  no other CPU can be at the heap now
//         static void stop_preemption(), resume_preemption(); from index() to the end of the call
//         static void pause();
//     };
//     struct Lock { void lock(); bool try_lock(bool is_alone); void unlock(); };
//
// The lock keeps interrupts out while it is held, and lets them in while it waits; is_alone says that who
// holds it can only be what this CPU has interrupted. It is never held while a hook or handler runs. With
// one CPU may_wait() is not asked, and lock() is not called.
#ifndef SLABHEAP_SHARED_HEAP_HPP
#define SLABHEAP_SHARED_HEAP_HPP

#include <slabheap/cpu_heap_state.hpp>

namespace slabheap {

template <class T>
concept CpuPolicy = requires(size_t cpus, bool answer) {
    cpus = T::index(cpus);
    answer = T::may_wait();
    answer = T::is_alone(cpus);
    T::stop_preemption();
    T::resume_preemption();
    T::pause();
};

template <class T>
concept CpuLock = requires(T lock, bool is_alone) {
    lock.lock();
    is_alone = lock.try_lock(is_alone);
    lock.unlock();
};

template <CpuPolicy Cpu, CpuLock Lock, class Core = CpuHeapState>
class SharedHeap {
public:
    constexpr SharedHeap() = default;
    SharedHeap(const SharedHeap&) = delete;
    SharedHeap& operator=(const SharedHeap&) = delete;

    int init(void* start, size_t size) {
        return held([&] { return core_.init(number(start), size); });
    }
    int add_memory(void* start, size_t size) {
        return held([&] { return core_.add_memory(number(start), size); });
    }
    // Gives count CPUs their fronts, in memory of cpu_memory(count) bytes. While one CPU uses the heap.
    int set_cpus(size_t count, void* memory, size_t size) {
        return held([&] { return core_.set_cpus(count, memory, size); });
    }

    [[gnu::always_inline]] void* allocate(Layout layout) {
        Stay stay;
        void* block;
        if (core_.allocate_fast(cpu(), layout.size, layout.align, block)) [[likely]]
            return block;
        return allocate_slow(layout, true);
    }
    // What is at hand, with one try for the lock: never searches, reclaims, waits, or asks.
    void* try_allocate(Layout layout) {
        Stay stay;
        void* block;
        if (core_.allocate_fast(cpu(), layout.size, layout.align, block)) return block;
        return allocate_slow(layout, false);
    }
    [[gnu::always_inline]] void* allocate_zeroed(size_t count, Layout layout) {
        if (__builtin_mul_overflow(count, layout.size, &layout.size)) return core_.refuse();
        void* const block = allocate(layout);
        if (block != nullptr) core_.zero(block, layout.size);
        return block;
    }
    // Notes, in an archive with the defence tracking, who allocated a block. Returns it.
    [[gnu::always_inline]] void* noted(void* block, CallSite site) { return core_.noted(block, site); }
    void* allocate_pages(size_t count, size_t align = SLAB_PAGE_SIZE) {
        Stay stay;
        Request request;
        if (!core_.is_possible_run(count, align, request)) return core_.refuse();
        return obtain(fronts(), request, may_wait());
    }
    void* reallocate(void* ptr, Layout layout, CallSite site) {
        if (ptr == nullptr) return allocate(layout);
        Stay stay;
        Request request;
        if (core_.block_size(number(ptr)) == 0) return fault(site, ptr, layout_claim(layout), false);
        if (!core_.is_possible(layout.size, layout.align, request)) return core_.refuse();
        return resize(ptr, request, site);
    }

    [[gnu::always_inline]] void deallocate(void* ptr, CallSite site) {
        Stay stay;
        if (core_.free_fast(cpu(), ptr, is_alone())) [[likely]]
            return;
        deallocate_any(ptr, site);
    }
    [[gnu::always_inline]] void deallocate(void* ptr, Layout layout, CallSite site) {
        Stay stay;
        if (core_.free_sized_fast(cpu(), ptr, layout.size, layout.align, is_alone())) [[likely]]
            return;
        deallocate_sized(ptr, layout.size, layout.align, site);
    }
    void deallocate_pages(void* ptr, size_t count, CallSite site) {
        Stay stay;
        size_t size;
        count += count == 0;
        if (__builtin_mul_overflow(count, size_t{SLAB_PAGE_SIZE}, &size)) size = SIZE_MAX;
        deallocate_slow(ptr, {Claim::run, size, SLAB_PAGE_SIZE}, site);
    }

    size_t usable_size(const void* ptr, CallSite site) {
        size_t const size = core_.block_size(number(ptr));
        if (size == 0) fault(site, ptr, any_block, false);
        return size;
    }
    bool owns(const void* ptr) const { return core_.block_size(number(ptr)) != 0; }

    int reserve(void* start, size_t size) {
        Stay stay;
        int const status = held([&] { return core_.reserve(number(start), size); });
        if (status != SLAB_ERR_IN_USE) return status;
        gather(fronts());
        return held([&] { return core_.reserve(number(start), size); });
    }
    int release(void* start, size_t size) {
        return held([&] { return core_.release(number(start), size); });
    }

    // Exact while no other CPU is in a call.
    void stats(slab_stats& out) {
        settle_all();
        held([&] { core_.stats(out); });
    }
    // Keeps other CPUs out, if the barrier hook can; else they must be quiet.
    int audit(slab_audit* out) {
        Stay stay;
        bool const closed = close(fronts());
        // What is freed between two holds would be pending again.
        int const status = held([&] {
            while (core_.settle_some()) {
            }
            return core_.audit(out);
        });
        if (closed) open();
        return status;
    }
    // Visits what is live and stays so meanwhile; visit may free the block that it is given.
    void walk(slab_visitor visit, void* context) {
        uintptr_t from = 0;
        do {
            FoundBlock const found = held([&] { return core_.next_block(from); });
            if (found.size != 0) visit(core_.pointer(found.address), found.size, context);
            from = found.address + found.size;
        } while (from != 0);  // it ended, perhaps at the top of the address space
    }

    slab_fault_handler set_fault_handler(slab_fault_handler handler) {
        return held([&] { return core_.set_fault_handler(handler); });
    }
    slab_oom_hook set_oom_hook(slab_oom_hook hook) {
        return held([&] { return core_.set_oom_hook(hook); });
    }
    void seed(uint64_t entropy) {
        held([&] { core_.seed(entropy); });
    }
    slab_barrier_hook set_barrier_hook(slab_barrier_hook hook) {
        return held([&] { return core_.set_barrier_hook(hook); });
    }
    size_t inject_failures(const slab_injection* plan) {
        return held([&] { return core_.inject_failures(plan); });
    }
    // False: the archive was built without guards.
    bool set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in) {
        return core_.set_guard_hooks(protect, unprotect, one_in);
    }

    // Puts back what the fronts of a CPU have that will not call again, or not for long.
    void empty_fronts(size_t cpu) { empty(core_.fronts_of(cpu)); }

private:
    struct Stay {
        Stay() { Cpu::stop_preemption(); }
        ~Stay() { Cpu::resume_preemption(); }
        Stay(const Stay&) = delete;
        Stay& operator=(const Stay&) = delete;
    };

    static constexpr Claim any_block{Claim::any, 0, 0};

    static uintptr_t number(const void* ptr) { return Core::number(ptr); }
    static Claim layout_claim(Layout layout) { return {Claim::sized, layout.size, layout.align}; }

    // Before there is a heap, nobody is asked who calls.
    bool is_single() const { return core_.cpu_count() <= 1; }
    size_t cpu() const { return Cpu::index(core_.cpu_count()); }
    // Where CPUs come and go, a slow call is the occasion to give one an index.
    CpuFronts* fronts() {
        size_t index = cpu();
        if constexpr (requires { Cpu::enrol(); }) {
            if (index >= core_.cpu_count()) index = Cpu::enrol();
        }
        return core_.fronts_of(index);
    }
    bool is_alone() const { return Cpu::is_alone(core_.cpu_count()); }
    // With one CPU, whoever holds the lock was interrupted by this call.
    bool may_wait() {
        if (!is_single()) return Cpu::may_wait();
        bool const is_free = lock_.try_lock(true);
        if (is_free) lock_.unlock();
        return is_free;
    }

    // With one CPU, whoever holds the lock was interrupted by this call: to wait would be in vain.
    bool acquire(bool waits) {
        if (!waits || is_single()) return lock_.try_lock(is_single());
        lock_.lock();
        return true;
    }

    // Runs a step that must be done, holding the lock.
    template <class Step>
    decltype(auto) held(Step step) {
        struct Holder {
            SharedHeap& heap;
            bool holds;
            ~Holder() {
                if (holds) heap.lock_.unlock();
            }
        } const holder{*this, acquire(true)};
        return step();
    }

    [[gnu::noinline, gnu::cold]] void* allocate_slow(Layout layout, bool waits) {
        Request request;
        if (!core_.is_possible(layout.size, layout.align, request)) return core_.refuse();
        return obtain(fronts(), request, waits && may_wait());
    }

    // What is at hand; then what there is when everything free was gathered; then, once, what the hook gets.
    [[gnu::always_inline]] void* obtain(CpuFronts* fronts, Request const& request, bool waits) {
        void* block = take(fronts, request, waits);
        for (bool asked = false; waits && block == nullptr; asked = true) {
            block = search(fronts, request);
            if (block != nullptr || asked || !core_.ask_for_memory(request)) break;
        }
        return block != nullptr ? core_.prepare(block, request.size) : core_.refuse();
    }
    [[gnu::always_inline]] void* take(CpuFronts* fronts, Request const& request, bool waits) {
        if (!acquire(waits)) return nullptr;
        core_.settle_some();
        void* const block = core_.take_at_hand(fronts, request);
        lock_.unlock();
        return block;
    }
    [[gnu::always_inline]] void* search(CpuFronts* fronts, Request const& request) {
        gather(fronts);
        void* const block = take(fronts, request, true);
        return block != nullptr ? block : search_further(request);
    }
    [[gnu::noinline]] void* search_further(Request const& request) {
        if (request.pages == 0) return held([&] { return core_.take_larger(request); });
        void* block = nullptr;
        for (Cursor cursor{0, 0, false}; block == nullptr && !cursor.ended;) {
            block = held([&] { return core_.search(request, cursor); });
        }
        return block;
    }

    // Gives everything that is free back to the pages. The lock is dropped again and again.
    [[gnu::noinline]] void gather(CpuFronts* fronts) {
        core_.return_resting();
        settle_all();
        empty(fronts);
        if (close(fronts)) {
            for (size_t cpu = 0; cpu < core_.cpu_count(); cpu++) {
                if (core_.fronts_of(cpu) != fronts) take_back(*core_.fronts_of(cpu));
            }
            open();
        }
        while (held([&] { return core_.return_some_spares(); })) {
        }
    }
    void settle_all() {
        while (held([&] { return core_.settle_some(); })) {
        }
    }
    void empty(CpuFronts* fronts) {
        for (unsigned next = 0; held([&] { return core_.empty_next(fronts, next); });) {
        }
    }
    void take_back(CpuFronts& fronts) {
        unsigned next = 0;
        for (unsigned turns = 0; turns < most_turns; turns++) {
            bool is_busy = false;
            while (held([&] {
                is_busy = core_.is_busy(fronts);
                return !is_busy && core_.take_back_next(fronts, next);
            })) {
            }
            if (!is_busy) return;
            Cpu::pause();
        }
    }

    // Keeps all CPUs from their fronts, and waits for those of the others: a CPU that looks whether the heap
    // is closed has them busy for a moment, and a call that has begun is soon over, if it was not
    // interrupted. Returns whether the heap is closed: then it is to be opened again.
    bool close(CpuFronts const* own) {
        slab_barrier_hook const barrier_hook = core_.barrier_hook();
        if (is_single() || barrier_hook == nullptr || is_alone()) return false;
        held([&] { core_.close(); });
        if (barrier_hook() == 0) {
            open();
            return false;
        }
        for (size_t cpu = 0; cpu < core_.cpu_count(); cpu++) {
            CpuFronts const& fronts = *core_.fronts_of(cpu);
            for (unsigned turns = 0; &fronts != own && turns < most_turns && core_.is_busy(fronts); turns++)
                Cpu::pause();
        }
        return true;
    }
    void open() {
        held([&] { core_.open(); });
    }

    [[gnu::noinline, gnu::cold]] void deallocate_any(void* ptr, CallSite site) {
        deallocate_slow(ptr, any_block, site);
    }
    [[gnu::noinline, gnu::cold]] void deallocate_sized(void* ptr, size_t size, size_t align, CallSite site) {
        deallocate_slow(ptr, {Claim::sized, size, align}, site);
    }
    void deallocate_slow(void* ptr, Claim const& expected, CallSite site) {
        if (ptr != nullptr) free(fronts(), ptr, expected, site);
    }
    [[gnu::always_inline]] void free(CpuFronts* fronts, void* ptr, Claim const& expected, CallSite site) {
        Freed const freed = claim(fronts, ptr, expected, site);
        if (freed == Freed::large) return settle(number(ptr));
        if (freed != Freed::done) fault(site, ptr, expected, freed == Freed::wrong_size);
    }
    // In a frame of its own, which is gone when a fault is told.
    [[gnu::noinline]] Freed claim(CpuFronts* fronts, void* ptr, Claim const& expected, CallSite site) {
        Damage damage{};
        damage.noted = site.caller;
        Freed freed = core_.free(fronts, number(ptr), expected, is_alone(), Way::front, damage);
        if (freed == Freed::closed) {
            bool const holds = acquire(may_wait());
            freed = core_.free(fronts, number(ptr), expected, is_alone(), Way::pool, damage);
            if (holds) lock_.unlock();
        }
        core_.report(site, damage);
        return freed;
    }
    [[gnu::noinline]] void settle(uintptr_t address) {
        if (acquire(may_wait())) {
            core_.settle_large(address);
            lock_.unlock();
        } else {
            core_.make_pending(address);
        }
    }

    // The handler runs without the lock. Returns null.
    [[gnu::noinline, gnu::cold]] void* fault(CallSite site, const void* ptr, Claim const& expected,
                                             bool wrong_size) {
        bool const holds = acquire(may_wait());
        Diagnosis found = core_.examine(number(ptr), holds);
        if (holds) lock_.unlock();
        if (wrong_size) found.kind = SLAB_FAULT_WRONG_SIZE;
        core_.report(site, number(ptr), expected, found);
        return nullptr;
    }

    // In place if it can be, else by a copy. What is tried for a new place may free the pages behind a large
    // block, which then stays after all; or the hook frees the block itself.
    [[gnu::always_inline]] void* resize(void* ptr, Request const& request, CallSite site) {
        if (core_.slot_fits(number(ptr), request.size, request.align) || resize_run(ptr, request)) {
            core_.resized(ptr, request.size, site);
            return ptr;
        }
        CpuFronts* const fronts = this->fronts();
        void* to = take(fronts, request, may_wait());
        for (bool asked = false; to == nullptr && may_wait(); asked = true) {
            to = search(fronts, request);
            if (to != nullptr) break;
            if (resize_run(ptr, request)) {
                core_.resized(ptr, request.size, site);
                return ptr;
            }
            if (asked || !core_.ask_for_memory(request) || !owns(ptr)) break;
        }
        if (to == nullptr) return core_.refuse();
        to = core_.prepare(to, request.size);
        size_t const size = core_.block_size(number(ptr));
        core_.copy(to, ptr, size < request.size ? size : request.size);
        free(fronts, ptr, any_block, site);
        return to;
    }
    [[gnu::noinline]] bool resize_run(void* ptr, Request const& request) {
        Opening const guard = core_.open_guard(number(ptr), request.size);
        if (guard == Opening::stuck) return false;
        bool const holds = acquire(may_wait());
        bool const fits = holds && core_.resize_run(number(ptr), request.size, request.align);
        if (holds) lock_.unlock();
        if (guard == Opening::open) core_.close_guard(number(ptr));
        return fits;
    }

    static constexpr unsigned most_turns = 1000;

    Core core_{};
    alignas(64) Lock lock_{};  // apart from what every call reads
};

}  // namespace slabheap

#endif
