// SPDX-License-Identifier: MIT
#include "cpu_heap.hpp"

namespace slabheap {

// Fronts that the holder of the page lock uses. Interrupts are kept out, so only an NMI can find them busy;
// if they are busy now, this is an interrupt handler that came in the midst of a call, and there are none.
class CpuHeap::Visit {
public:
    [[gnu::always_inline]] explicit Visit(CpuFronts* fronts) : fronts_(fronts) {
        if (fronts_ != nullptr && !begin(*fronts_)) fronts_ = nullptr;
    }
    [[gnu::always_inline]] ~Visit() {
        if (fronts_ != nullptr) leave(*fronts_);
    }
    Visit(Visit const&) = delete;
    Visit& operator=(Visit const&) = delete;

    explicit operator bool() const { return fronts_ != nullptr; }
    CpuFronts& operator*() const { return *fronts_; }

private:
    CpuFronts* fronts_;
};

int CpuHeap::add_memory(uintptr_t start, size_t size) {
    // Once there are others, they go by the primary view as it is.
    keeps_primary_ = front_count_ != 1;
    return HeapCore::add_memory(start, size);
}

int CpuHeap::set_cpus(size_t count, void* memory, size_t size) {
    if (!initialised()) return SLAB_ERR_NOT_INITIALISED;
    if (front_count_ != 1) return SLAB_ERR_ALREADY_INITIALISED;
    if (count == 0 || count > SLAB_MAX_CPUS) return SLAB_ERR_RANGE;
    if (count == 1) return SLAB_OK;
    if (memory == nullptr) return SLAB_ERR_RANGE;
    if (reinterpret_cast<uintptr_t>(memory) % alignof(CpuFronts) != 0) return SLAB_ERR_ALIGN;
    if (size < cpu_memory(count)) return SLAB_ERR_TOO_SMALL;
    for (unsigned c = 0; c < class_count; ++c) {
        Traffic const own = traffic(c);
        empty_front(own_, c);
        without_front_[c] = own;
    }
    fronts_ = reinterpret_cast<uintptr_t>(memory);
    for (size_t i = 0; i < count; ++i) {
        zero(&Slabs::fronts_of(i), sizeof(CpuFronts));
        Slabs::fronts_of(i).set_up();
    }
    front_count_ = count;
    seed(own_.random);
    among_ = Among::cpus;
    return SLAB_OK;
}

bool CpuHeap::is_possible(size_t size, size_t align, Request& request) const {
    request = {0, size + (size == 0), align};
    if (!is_power_of_two(align) || !initialised()) return false;
    request.pages = pages_of(request.size, align);
    return request.pages <= all_ones >> page_shift;
}

bool CpuHeap::is_possible_run(size_t count, size_t align, Request& request) const {
    count += count == 0;
    request = {count, count << page_shift, align};
    return is_power_of_two(align) && initialised() && count <= all_ones >> page_shift;
}

void* CpuHeap::refuse() {
    atomic::add(failures_, 1, among_);
    return nullptr;
}

void* CpuHeap::take_at_hand(CpuFronts* fronts, Request const& request) {
    if (request.pages != 0) {
        uintptr_t const address = take_run(request.pages, pages_of_alignment(request.align));
        return reinterpret_cast<void*>(address == 0 ? 0 : counted(address, request.pages, request.size));
    }
    unsigned const size_class = static_cast<unsigned>(class_of(request.size, request.align));
    Visit const visit(fronts);
    if constexpr (defences::guard) {
        uintptr_t const address = visit ? take_guarded_small(*visit, request.size, request.align) : 0;
        if (address != 0) return reinterpret_cast<void*>(address);
    }
    for (;;) {
        uintptr_t const address =
            visit ? take_slot(*visit, size_class, request.size) : take_pooled_slot(size_class, request.size);
        if (address != 0 && visit) stock(*visit, size_class, slabs_at_once);
        if (address != 0 || !return_a_spare()) return reinterpret_cast<void*>(address);
    }
}

void* CpuHeap::take_larger(Request const& request) {
    unsigned size_class = static_cast<unsigned>(class_of(request.size, request.align));
    while (++size_class < class_count) {
        if (class_size(size_class) % request.align == 0 && with_room(size_class) != 0)
            return reinterpret_cast<void*>(take_slot_with_room(size_class, request.size));
    }
    return nullptr;
}

void* CpuHeap::search(Request const& request, Cursor& cursor) {
    cursor.ended = cursor.region == region_count_ || injector_.refuses();
    if (cursor.ended) return nullptr;
    Region& region = preferred(cursor.region);
    if (cursor.page == 0) cursor.page = region.first_page;
    Word const align = pages_of_alignment(request.align);
    Word page = Region::none;
    if (region.free_pages() >= request.pages) {
        page = region.search(request.pages, align, cursor.page, pieces_at_once);
    } else {
        cursor.page = region.end_page;
    }
    if (page != Region::none) {
        region.take({page, page + request.pages});
        return reinterpret_cast<void*>(
            counted(start_block(region, page, request.pages), request.pages, request.size));
    }
    if (cursor.page >= region.end_page) cursor = {cursor.region + 1, 0, false};
    return nullptr;
}

bool CpuHeap::return_some_spares() {
    for (unsigned i = 0; i < spares_at_once; ++i) {
        if (!return_a_spare()) return false;
    }
    return true;
}

bool CpuHeap::empty_next(CpuFronts* fronts, unsigned& next) {
    Visit const visit(fronts);
    return visit && take_back_next(*visit, next);
}

// Moves on behind what it empties: so it ends, whoever refills that. Does not make the fronts busy: their CPU
// may be about to look whether the heap is closed, and then says that they are not.
bool CpuHeap::take_back_next(CpuFronts& fronts, unsigned& next) {
    for (; next < 2 * class_count; ++next) {
        unsigned const size_class = next / 2;
        Front const& front = fronts.of_class[size_class];
        bool const is_stack = next % 2 == 0;
        if ((is_stack ? front.depth | front.other : front.word) == 0) continue;
        is_stack ? empty_stack(fronts, size_class) : empty_word(fronts, size_class);
        ++next;
        return true;
    }
    return false;
}

void CpuHeap::close() { atomic::store<atomic::relaxed>(closed_, closed_ + 1); }

// Release: pairs with the load in enter.
void CpuHeap::open() { atomic::store<atomic::release>(closed_, closed_ - 1); }

bool CpuHeap::is_right(Claim const& expected, uintptr_t address, Block block) const {
    if (expected.what == Claim::any) return true;
    if (block.is_guarded_small())
        return expected.what == Claim::sized && may_be_for(address, block, expected.size, expected.align);
    if (!block.is_large())
        return expected.what == Claim::sized && may_hold(block.size_class, expected.size, expected.align);
    if (expected.what == Claim::run) return block.size == expected.size;
    return is_power_of_two(expected.align) && address % expected.align == 0 &&
           pages_for(expected.size + (expected.size == 0)) == block.pages();
}

Freed CpuHeap::free(CpuFronts* fronts, uintptr_t address, Claim const& expected, bool is_alone, Way way,
                    Damage& damage) {
    Block const block = live_block(address);
    if (block.size == 0) return Freed::not_a_block;
    if (!is_right(expected, address, block)) return Freed::wrong_size;
    PageView const& view = *view_of(address);
    if constexpr (defences::guard) {
        if (block.is_guarded_small() || (block.is_large() && tag::has_form(view.what(address))))
            return free_guarded(address, block, damage);
    }
    if (block.is_large()) {
        uint8_t live = tag::large;
        // Release: pairs with the load in settle, which may come before the page is pending.
        if (!atomic::compare_exchange<atomic::release>(
                view.tag(address), live, defences::touch_blocks ? tag::retiring : tag::leaving, among_))
            return Freed::not_a_block;
        atomic::add(large_frees_, 1, among_);
        if constexpr (defences::touch_blocks) {
            damage = retire_block(address, block, damage.noted);
            atomic::store<atomic::release>(view.tag(address), tag::leaving);
        }
        return Freed::large;
    }
    // In the fronts first: so who closes them waits until a claimed slot is somewhere.
    bool const in_front = way == Way::front && fronts != nullptr && enter(*fronts);
    if (way == Way::front && !in_front && atomic::load<atomic::relaxed>(closed_) != 0) return Freed::closed;
    bool const claimed = claim(view.live(address), is_alone);
    if constexpr (defences::touch_blocks) {
        if (claimed) damage = retire_block(address, block, damage.noted);
    }
    if (claimed && in_front) keep_slot_shared(*fronts, block.size_class, address);
    if (claimed && !in_front) put_pooled_slot(block.size_class, address);
    if (in_front) leave(*fronts);
    return claimed ? Freed::done : Freed::not_a_block;
}

void CpuHeap::settle_large(uintptr_t address) {
    Region& region = *region_of(address);
    // Whoever held the lock since may have settled it, and more.
    if (tag::state(region.what(address >> page_shift)) == tag::leaving)
        free_run(region, address >> page_shift);
}

bool CpuHeap::slot_fits(uintptr_t address, size_t size, size_t align) const {
    Block const block = live_block(address);
    if (block.is_guarded_small()) return may_be_for(address, block, size, align);
    return !block.is_large() && may_hold(block.size_class, size, align);
}

bool CpuHeap::resize_run(uintptr_t address, size_t size, size_t align) {
    return is_large(address) && resize_in_place(address, size, align);
}

Diagnosis CpuHeap::examine(uintptr_t address, bool is_locked) const {
    // Who lost the block to a racing free may find it handed out again by now.
    if (size_t const size = live_block(address).size; size != 0)
        return {SLAB_FAULT_DOUBLE_FREE, address, size};
    if (is_locked) return diagnose(address);
    // Without the lock the trees may not be followed: only slabs can be told, and starts of blocks.
    PageView const* const view = view_of(address);
    if (view == nullptr) return {SLAB_FAULT_FOREIGN, 0, 0};
    uint8_t const what = view->what(address);
    if (tag::is_slab(what) || tag::is_freed_slab(what))
        return diagnose_slot(*region_of(address), what, address);
    if constexpr (defences::guard) {
        if (tag::has_form(what)) return diagnose_guarded(*region_of(address), address >> page_shift, address);
    }
    if ((tag::is_leaving(what) || what == tag::freed_large) && address % page_size == 0)
        return {SLAB_FAULT_DOUBLE_FREE, address,
                atomic::load<atomic::relaxed>(view->slots(address)[0]) << page_shift};
    return {SLAB_FAULT_NEVER_ALLOCATED, 0, 0};
}

void CpuHeap::report(CallSite site, uintptr_t address, Claim const& expected, Diagnosis const& found) {
    atomic::add(faults_, 1, among_);
    deliver(site, found, address, expected.size, expected.align);
}

FoundBlock CpuHeap::next_block(uintptr_t address) {
    unsigned left = slabs_at_once;
    for (unsigned i = 0; i < region_count(); ++i) {
        Region& r = region(i);
        Word page = address >> page_shift;
        if (page >= r.end_page) continue;
        if (page < r.first_usable()) page = r.first_usable();
        if constexpr (defences::guard) page = r.behind_guard(page);
        // The head of a run that the address is in the midst of lies before it: behind the run it goes on.
        for (page = r.next_head(page); page != Region::none; page = r.next_head(page + r.run_pages(page))) {
            uint8_t const what = r.tag(page);
            if (what == tag::large && page << page_shift >= address)
                return {page << page_shift, r.run_pages(page) << page_shift};
            if constexpr (defences::guard) {
                if (r.has_guarded_block(page))
                    return {r.guarded_block(page).start, r.guarded_block(page).size};
            }
            if (left-- == 0) return {page << page_shift, 0};
            if (!tag::is_slab(what)) continue;
            for (unsigned slot = 0; slot < class_slots(what); ++slot) {
                uintptr_t const block = (page << page_shift) + slot_offset(what, slot);
                if (block >= address && r.view().live(block) != 0) return {block, class_size(what)};
            }
        }
    }
    return {0, 0};
}

slab_barrier_hook CpuHeap::set_barrier_hook(slab_barrier_hook hook) {
    slab_barrier_hook const previous = barrier_hook_;
    barrier_hook_ = hook;
    return previous;
}

}  // namespace slabheap
