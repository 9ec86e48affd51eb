// SPDX-License-Identifier: MIT
//
// HeapCore: the heap itself, beneath both of its faces (Heap and the C ABI): which request takes a slot and
// which takes pages, what is tried before a request fails, and the checks that make every misuse a fault.
//
// The usual path of each call is inline and short; whatever is rare is a function of its own, in the file
// named after it: heap_core.cpp (slow paths), realloc.cpp, fault.cpp and describe.cpp (misuse), audit.cpp
// and audit_slabs.cpp, stats.cpp (figures, walk).
//
// A heap is usable when it is all zero: not initialised, and every address foreign. So it needs no
// constructor.
#ifndef SLABHEAP_HEAP_CORE_HPP
#define SLABHEAP_HEAP_CORE_HPP

#include <slabheap/cpu_heap_state.hpp>

#include "slab.hpp"

namespace slabheap {

#define SLABHEAP_SITE(name) (slabheap::CallSite{name, __builtin_return_address(0)})
// Of who gets a block, if that is noted. If it is not, nobody may ask for it: GCC makes no tail calls then.
#ifdef SLABHEAP_TRACKING
#define SLABHEAP_OWNER(name) SLABHEAP_SITE(name)
#else
#define SLABHEAP_OWNER(name) (slabheap::CallSite{name, nullptr})
#endif

constexpr Word pages_of_alignment(size_t align) { return align < page_size ? 1 : align >> page_shift; }
constexpr Word pages_for(size_t size) {
    size_t const rest = size % page_size + shadow::red_zone;
    return (size >> page_shift) + (rest >> page_shift) + (rest % page_size != 0);
}

class HeapCore : public Slabs {
public:
    [[gnu::cold]] int init(uintptr_t start, size_t size);
    [[gnu::cold]] int add_memory(uintptr_t start, size_t size);

    // The usual path is inline, and leaves for anything rare by a tail call: it needs no stack frame.
    [[gnu::always_inline]] void* allocate(size_t size, size_t align) {
        if (!is_small(size, align)) [[unlikely]]
            return allocate_slow(size, align);
        if (is_due_for_guard(own_)) [[unlikely]]
            return allocate_slow(size, align);
        uintptr_t address;
        if (!take_front_slot(own_, class_of(size, align), size, address)) [[unlikely]]
            return allocate_slow(size, align);
        return reinterpret_cast<void*>(address);
    }

    // Takes a block back if it is a slot of the primary region, of at least this class; false if not, and
    // then nothing has changed: the slow call does it, or says what is wrong.
    [[gnu::always_inline]] bool deallocate_fast(void* ptr, Word least_class = 0) {
        if constexpr (defences::touch_blocks) return false;
        uintptr_t const address = reinterpret_cast<uintptr_t>(ptr);
        Word const mark = primary_.mark_at(address);
        if (mark >= primary_.known_marks) [[unlikely]]
            return false;
        uint8_t& live = primary_.live_start[mark];
        Word const size_class = primary_.tag(address);
        if (!may_be_live(live, size_class) || size_class < least_class) [[unlikely]]
            return false;
        live = 0;
        return push<Pools::own>(own_, size_class, address);
    }
    [[gnu::always_inline]] bool deallocate_sized_fast(void* ptr, size_t size, size_t align) {
        return is_small(size, align) && larger_classes_align(align) &&
               deallocate_fast(ptr, class_of(size, align));
    }
    void deallocate_slow(void* ptr, CallSite site);

    // What defences do to a block before its user gets it. Returns the user's pointer to it.
    [[gnu::always_inline]] void* prepare(void* block, size_t size) {
        if constexpr (defences::touch_blocks) {
            if (block != nullptr) return prepare_block(reinterpret_cast<uintptr_t>(block), size);
        }
        return block;
    }

    // Notes who allocated a block, for the fault that may follow. Returns it.
    [[gnu::always_inline]] void* noted(void* block, CallSite site) {
        if constexpr (defences::tracking) {
            if (block != nullptr) note(shadow::address_of(block), site.caller);
        }
        return block;
    }

    void deallocate_sized_slow(void* ptr, size_t size, size_t align, CallSite site);
    void* allocate_zeroed(size_t size, size_t align);
    void* reallocate(void* ptr, size_t size, size_t align, CallSite site);

    void* allocate_pages(size_t count, size_t align);
    void deallocate_pages(void* ptr, size_t count, CallSite site);

    size_t usable_size(const void* ptr, CallSite site);
    bool owns(const void* ptr) const { return live_block(shadow::address_of(ptr)).size != 0; }
    static UsableSize usable_size(size_t size, size_t align);

    [[gnu::cold]] int reserve(uintptr_t start, size_t size);
    [[gnu::cold]] int reserve_free(uintptr_t start, size_t size);  // collects nothing
    [[gnu::cold]] int release(uintptr_t start, size_t size);

    size_t total_bytes() const { return total_pages() << page_shift; }
    size_t used_bytes() const;
    [[gnu::cold]] void stats(slab_stats& out) const;
    [[gnu::cold]] void walk(slab_visitor visit, void* context);
    [[gnu::cold]] int audit(slab_audit* out) const;

    slab_fault_handler set_fault_handler(slab_fault_handler handler);
    slab_oom_hook set_oom_hook(slab_oom_hook hook);
    // False: there are no guards in this archive.
    bool set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in) {
        if constexpr (defences::guard) keep_guard_hooks(protect, unprotect, one_in);
        return defences::guard;
    }

protected:
    friend class Auditor;

    // A live block; size 0: the address is not the start of one. Small enough to be passed in registers.
    struct Block {
        size_t size;
        unsigned size_class;  // class_count: whole pages; one more: a small block with a guard
        bool is_large() const { return size_class == class_count; }
        bool is_guarded_small() const { return defences::guard && size_class == class_count + 1; }
        bool is_run() const { return is_large() || is_guarded_small(); }
        Word pages() const { return size >> page_shift; }
    };
    Block live_block(uintptr_t address) const;

    // Is it the mark and the class of a live block, as far as frees are checked? A large block's is no class.
    static bool may_be_live(uint8_t mark, Word size_class) {
        return defences::checks ? mark != 0 : size_class < class_count;
    }

    // Does a slot serve the request? Size 0 is rare, and wraps to what is not small; so does an alignment of
    // 0.
    static bool is_small(size_t size, size_t align) {
        if (shadow::is_kept && size - 1 >= largest_small) return false;
        return ((size - 1) | (align - 1)) < page_size && (align & (align - 1)) == 0;
    }
    void* allocate_slow(size_t size, size_t align);
    void* allocate_large(size_t size, size_t align);
    uintptr_t counted(uintptr_t address, Word pages, size_t size) {
        ++large_allocations_;
        taken_pages_ += pages;
        requested_ += size;
        return address;
    }
    static Word pages_of(size_t size, size_t align) {
        return fits_a_class(size, align) ? 0 : pages_for(size);
    }
    [[gnu::cold]] void* obtain(Request const& request);
    [[gnu::cold, gnu::noinline]] void* obtain_block(size_t size, size_t align) {
        return obtain({pages_of(size, align), size, align});
    }
    [[gnu::always_inline]] uintptr_t find(Request const& request) {
        return request.pages != 0 ? find_pages(request) : find_slot(request);
    }
    [[gnu::cold]] uintptr_t find_slot(Request const& request);
    [[gnu::cold]] bool asked_for_memory(size_t size, size_t align);
    [[gnu::cold]] uintptr_t find_pages(Request const& request);
    [[gnu::cold]] void* fail();

    [[gnu::cold]] void deallocate_rarely(uintptr_t address, CallSite site);
    void deallocate_block(uintptr_t address, Block block, CallSite site);
    bool resize_in_place(uintptr_t address, size_t size, size_t align);
    [[gnu::noinline]] void* move(uintptr_t address, size_t size, size_t align, CallSite site);
    void* move_to(uintptr_t to, uintptr_t address, size_t size, CallSite site);

    // Guards (guards.hpp). Is this small request's turn to have one? Counts it.
    [[gnu::always_inline]] bool is_due_for_guard(CpuFronts& fronts) const {
        if constexpr (defences::guard) {
            if (atomic::load<atomic::relaxed>(guards_.one_in) == 0) return false;
            Word const before = atomic::load<atomic::relaxed>(fronts.until_guard);
            if (before == 0) return true;
            atomic::store<atomic::relaxed>(fronts.until_guard, before - 1);
        }
        return false;
    }
    [[gnu::cold]] void keep_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in);
    [[gnu::cold]] Block guarded_block(uintptr_t address) const;
    // A run for a large block, or for a small one whose turn it is; 0: to be had without a guard only.
    [[gnu::cold]] uintptr_t take_guarded_run(Word pages, Word align);
    [[gnu::cold]] uintptr_t take_guarded_small(CpuFronts& fronts, size_t size, size_t align);
    uintptr_t take_run(Word pages, Word align) {
        if constexpr (defences::guard) {
            if (uintptr_t const address = take_guarded_run(pages, align); address != 0) return address;
        }
        return allocate_run(pages, align);
    }
    // Closes the guard behind a new block, if it has one. Without the page lock, as whatever calls a hook.
    void close_new_guard(uintptr_t address) {
        if constexpr (defences::guard) {
            if (address != 0) close_guard_of(address);
        }
    }
    [[gnu::cold]] void close_guard_of(uintptr_t address);
    // Opens the guard of a large block that is to have so many bytes.
    [[gnu::cold]] Opening open_guard_of(uintptr_t address, size_t size);
    bool resize(uintptr_t address, size_t size, size_t align) {
        if constexpr (!defences::guard) {
            return resize_in_place(address, size, align);
        } else {
            Opening const guard = open_guard_of(address, size);
            bool const fits = guard != Opening::stuck && resize_in_place(address, size, align);
            if (guard == Opening::open) close_guard_of(address);
            return fits;
        }
    }
    // Of a block whose tag says that it is retiring. Returns the start of a run that is leaving now, its own
    // or one that has rested; 0: none is.
    [[gnu::cold]] uintptr_t drop_guard(uintptr_t address, Block block);
    [[gnu::cold]] uintptr_t without_guard(uintptr_t address, Block block);  // the same, of any run
    [[gnu::cold]] uintptr_t take_down(uintptr_t run, uintptr_t first_closed);
    [[gnu::cold]] uintptr_t end_rest(unsigned place);
    void collect_all() {
        if constexpr (defences::guard) free_resting();
        collect();
    }
    [[gnu::cold]] void free_resting();
    [[gnu::cold]] bool guards_are_sound(slab_audit& result) const;
    // Bytes of large_pages() that no live block has.
    size_t idle_bytes() const {
        if constexpr (defences::guard) return guards_.idle + atomic::load<atomic::relaxed>(guards_.rested);
        return 0;
    }
    [[gnu::cold]] Diagnosis diagnose_guarded(Region const& region, Word head, uintptr_t address) const;

    // Can a small block with a guard have been given for the request, or may it serve it now?
    static bool may_be_for(uintptr_t address, Block block, size_t size, size_t align) {
        return is_power_of_two(align) && address % align == 0 && size <= block.size;
    }

    // Defences; a block is live until its content is retired.
    void* prepare_block(uintptr_t address, size_t size);
    void keep_size(uintptr_t address, Block block, size_t size);
    void resize_shadow(uintptr_t address, Block block, size_t size);
    Damage damage_of(uintptr_t start, uintptr_t end, uint8_t byte, Diagnosis const& what) const;
    Damage tail_damage(uintptr_t address, Block block) const;
    Damage retire_block(uintptr_t address, Block block, const void* caller);
    void note(uintptr_t address, const void* caller) {
        region_of(address)->site(address) = reinterpret_cast<uintptr_t>(caller);
    }
    const void* noted_at(uintptr_t address) const {
        return reinterpret_cast<const void*>(defences::tracking ? region_of(address)->site(address) : 0);
    }
    size_t requested(uintptr_t address, Block block) const {
        return defences::keep_sizes ? requested_of(address, block) : block.size;
    }
    size_t requested_of(uintptr_t address, Block block) const;
    void resized(void* block, size_t size, CallSite site) {
        if constexpr (defences::keep_sizes || defences::fill_freed)
            fill_tail_anew(shadow::address_of(block), size, site);
    }
    void report(CallSite site, Damage const& damage) {
        if constexpr (defences::touch_blocks) {
            if (damage.at != 0) report_damage(site, damage);
        }
    }
    void fill_tail_anew(uintptr_t address, size_t size, CallSite site);
    [[gnu::cold]] void report_damage(CallSite site, Damage const& damage);

    [[gnu::cold]] Diagnosis diagnose(uintptr_t address) const;
    // What an address in a page with this tag is: in a slab, or what was one.
    [[gnu::cold]] Diagnosis diagnose_slot(Region const& region, uint8_t what, uintptr_t address) const;
    // Calls the fault handler.
    [[gnu::cold]] void deliver(CallSite site, Diagnosis const& found, uintptr_t address, size_t size,
                               size_t align) const;
    [[gnu::cold]] void deliver(slab_fault const& record) const;
    // Reports a broken contract: the address is no live block's start, or size and align do not fit the
    // block. The call that found it then returns without having changed anything. Returns null.
    [[gnu::cold]] void* fault(CallSite site, uintptr_t address, size_t size, size_t align);

    slab_fault_handler fault_handler_;
    slab_oom_hook oom_hook_;
    size_t requested_;          // bytes asked for large blocks, ever
    size_t taken_pages_;        // pages given to large blocks, ever
    size_t large_allocations_;  // large blocks handed out, ever
    size_t large_frees_;
    size_t failures_;
    size_t faults_;
};

// Can a slot of this class have been given for the request? align may be anything.
constexpr bool may_hold(unsigned size_class, size_t size, size_t align) {
    return is_power_of_two(align) && fits_a_class(size, align) &&
           class_of(size + (size == 0), align) <= size_class && class_size(size_class) % align == 0;
}

}  // namespace slabheap

#endif
