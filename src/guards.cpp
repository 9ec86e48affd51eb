// SPDX-License-Identifier: MIT
#include "cpu_heap.hpp"

#ifdef SLABHEAP_GUARD  // what all of this works on is there only then

namespace slabheap {

static bool call(slab_guard_hook const& which, uintptr_t start, uintptr_t end) {
    slab_guard_hook const hook = atomic::load<atomic::relaxed>(which);
    return hook != nullptr && hook(reinterpret_cast<void*>(start), end - start) != 0;
}

void HeapCore::keep_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in) {
    // What is protected may have to be unprotected later on.
    if (unprotect != nullptr) atomic::store<atomic::relaxed>(guards_.unprotect, unprotect);
    atomic::store<atomic::release>(guards_.protect, protect);
    atomic::store<atomic::relaxed>(guards_.one_in, protect != nullptr ? one_in : 0);
    for (Word i = 0; i < front_count_; ++i) atomic::store<atomic::relaxed>(fronts_of(i).until_guard, Word{0});
}

HeapCore::Block HeapCore::guarded_block(uintptr_t address) const {
    Region const& region = *region_of(address);
    Word const head = address >> page_shift;
    if (!region.has_guarded_block(head)) return {0, 0};
    Region::Placed const block = region.guarded_block(head);
    if (block.start != address) return {0, 0};
    bool const is_small = region.form(head) == tag::small_with_guard;
    return {block.size, is_small ? class_count + 1 : class_count};
}

uintptr_t HeapCore::take_guarded_run(Word pages, Word align) {
    if (atomic::load<atomic::acquire>(guards_.protect) == nullptr) return 0;
    uintptr_t const address = allocate_run(pages + 1, align);
    if (address == 0) return 0;
    uint8_t const what = tag::in_form(tag::large, tag::with_guard);
    atomic::store<atomic::relaxed>(region_of(address)->tag(address >> page_shift), what);
    guards_.idle += page_size;
    return address;
}

// From 0 to 2 N - 2.
static Word draw_gap(CpuFronts& fronts, size_t one_in) {
    Word const next = next_random(atomic::load<atomic::relaxed>(fronts.random));
    atomic::store<atomic::relaxed>(fronts.random, next);
    return next % (one_in > all_ones / 2 ? all_ones : 2 * one_in - 1);
}

uintptr_t HeapCore::take_guarded_small(CpuFronts& fronts, size_t size, size_t align) {
    size_t const one_in = atomic::load<atomic::relaxed>(guards_.one_in);
    if (one_in == 0 || atomic::load<atomic::relaxed>(fronts.until_guard) != 0) return 0;
    atomic::store<atomic::relaxed>(fronts.until_guard, draw_gap(fronts, one_in));
    uintptr_t const run = take_guarded_run(1, 1);
    if (run == 0) return 0;
    size_t const unit = align > granule ? align : granule;
    size_t const bytes = (size + unit - 1) & ~(unit - 1);
    Region& region = *region_of(run);
    Word const head = run >> page_shift;
    Handed::Number const before = static_cast<Handed::Number>((page_size - bytes) / granule);
    atomic::store<atomic::relaxed>(region.handed(head)[0], before);
    uint8_t const what = tag::in_form(tag::large, tag::small_with_guard);
    atomic::store<atomic::relaxed>(region.tag(head), what);
    guards_.idle += page_size - bytes;
    guards_.taken += bytes;
    return counted(run + page_size - bytes, 0, size);
}

void HeapCore::close_guard_of(uintptr_t address) {
    Block const block = guarded_block(address);
    uintptr_t const guard = address + block.size;
    if (block.size != 0) call(guards_.protect, guard, guard + page_size);
}

Opening HeapCore::open_guard_of(uintptr_t address, size_t size) {
    Block const block = guarded_block(address);
    if (!block.is_large() || pages_for(size) == block.pages()) return Opening::none;
    uintptr_t const guard = address + block.size;
    return call(guards_.unprotect, guard, guard + page_size) ? Opening::open : Opening::stuck;
}

uintptr_t HeapCore::drop_guard(uintptr_t address, Block block) {
    atomic::add(guards_.rested, block.size, among_);
    if (block.is_large()) return take_down(address, address + block.size);
    uintptr_t const run = address & ~(page_size - 1);
    call(guards_.protect, run, run + page_size);
    // Two that get the same place are no harm: one of them rests a little shorter.
    Word const before = atomic::load<atomic::relaxed>(guards_.freed);
    atomic::store<atomic::relaxed>(guards_.freed, before + 1);
    uintptr_t& place = guards_.resting[before % Guards::most_resting];
    uintptr_t const rested = atomic::exchange<atomic::acq_rel>(place, run, among_);
    return rested == 0 ? 0 : take_down(rested, rested);
}

uintptr_t HeapCore::without_guard(uintptr_t address, Block block) {
    Region const& region = *region_of(address);
    Word const head = address >> page_shift;
    if (region.form(head) == 0) return address;
    region.tag(head) = tag::in_form(tag::retiring, region.form(head));
    return drop_guard(address, block);
}

uintptr_t HeapCore::end_rest(unsigned place) {
    uintptr_t const rested = atomic::exchange<atomic::acq_rel>(guards_.resting[place], uintptr_t{0}, among_);
    return rested == 0 ? 0 : take_down(rested, rested);
}

// What cannot be opened stays as it is, for good.
uintptr_t HeapCore::take_down(uintptr_t run, uintptr_t first_closed) {
    Region& region = *region_of(run);
    Word const head = run >> page_shift;
    uintptr_t const end = run + (atomic::load<atomic::relaxed>(region.slots(head)[0]) << page_shift);
    if (!call(guards_.unprotect, first_closed, end)) return 0;
    atomic::add(guards_.rested, 0 - region.guarded_block(head).size, among_);
    // Release: pairs with the load in settle.
    uint8_t const what = tag::in_form(tag::leaving, region.form(head));
    atomic::store<atomic::release>(region.tag(head), what);
    return run;
}

void HeapCore::free_resting() {
    for (unsigned place = 0; place < Guards::most_resting; ++place) {
        uintptr_t const run = end_rest(place);
        if (run != 0) free_run(*region_of(run), run >> page_shift);
    }
}

Freed CpuHeap::free_guarded(uintptr_t address, Block block, Damage& damage) {
    uint8_t const form = block.is_large() ? tag::with_guard : tag::small_with_guard;
    uint8_t live = tag::in_form(tag::large, form);
    uint8_t const retiring = tag::in_form(tag::retiring, form);
    if (!atomic::compare_exchange<atomic::relaxed>(view_of(address)->tag(address), live, retiring, among_))
        return Freed::not_a_block;
    atomic::add(large_frees_, 1, among_);
    if constexpr (defences::touch_blocks) damage = retire_block(address, block, damage.noted);
    uintptr_t const leaving = drop_guard(address, block);
    if (leaving == address) return Freed::large;
    if (leaving != 0) make_pending(leaving);
    return Freed::done;
}

void CpuHeap::make_resting_pending() {
    for (unsigned place = 0; place < Guards::most_resting; ++place) {
        uintptr_t const run = end_rest(place);
        if (run != 0) make_pending(run);
    }
}

// Who takes a run out needs no lock: so it may be leaving by the time that it is looked at.
static bool may_rest(uint8_t what) {
    return what == tag::in_form(tag::retiring, tag::small_with_guard) ||
           what == tag::in_form(tag::leaving, tag::small_with_guard);
}

// Once the regions are known to be: what guards take up, and what rests.
bool HeapCore::guards_are_sound(slab_audit& result) const {
    auto const broken = [&](const char* invariant, uintptr_t where) {
        result = {invariant, reinterpret_cast<const void*>(where)};
        return false;
    };
    size_t idle = 0;
    for (unsigned i = 0; i < region_count_; ++i) {
        Region const& r = region(i);
        for (Word page = r.next_head(r.first_usable()); page != Region::none;) {
            uint8_t const form = r.form(page);
            Word const pages = r.run_pages(page);
            if (form != 0 && (form == tag::small_with_guard ? pages != 2 : pages < 2))
                return broken("behind the pages of a block is one guard", page << page_shift);
            idle += r.idle_bytes(page);
            page = r.next_head(page + pages);
        }
    }
    if (idle != guards_.idle) return broken("the bytes that guards take are counted exactly", 0);
    for (uintptr_t const& place : guards_.resting) {
        uintptr_t const run = atomic::load<atomic::acquire>(place);
        if (run == 0) continue;
        Region const* const r = region_of(run);
        Word const head = run >> page_shift;
        if (run % page_size != 0 || r == nullptr || !r->knows_page(head) || !may_rest(r->what(head)))
            return broken("what rests is the run of a small block", run);
    }
    return true;
}

Diagnosis HeapCore::diagnose_guarded(Region const& region, Word head, uintptr_t address) const {
    Region::Placed const block = region.guarded_block(head);
    bool const is_inside = address - block.start < block.size;
    if (!is_inside) return {SLAB_FAULT_NEVER_ALLOCATED, 0, 0};
    slab_fault_kind kind = SLAB_FAULT_INTERIOR;
    if (!region.has_guarded_block(head))
        kind = address == block.start ? SLAB_FAULT_DOUBLE_FREE : SLAB_FAULT_NEVER_ALLOCATED;
    return {kind, block.start, block.size};
}

}  // namespace slabheap

#endif
