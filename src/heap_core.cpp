// SPDX-License-Identifier: MIT
#include "heap_core.hpp"
#include "memory.hpp"

namespace slabheap {

int HeapCore::init(uintptr_t start, size_t size) {
    if (initialised()) return SLAB_ERR_ALREADY_INITIALISED;
    if (start == 0 || (size != 0 && start + (size - 1) < start)) return SLAB_ERR_RANGE;
    if (start % page_size != 0) return SLAB_ERR_ALIGN;
    if (size < SLAB_MIN_HEAP_SIZE) return SLAB_ERR_TOO_SMALL;
    if (size % SLAB_MIN_HEAP_SIZE != 0) return SLAB_ERR_NOT_MULTIPLE;
    Slabs::set_up();
    return add_region(start, size);
}

int HeapCore::add_memory(uintptr_t start, size_t size) {
    if (!initialised()) return SLAB_ERR_NOT_INITIALISED;
    Region const* const primary_before = primary_region_;
    int const status = add_region(start, size);
    if (primary_region_ != primary_before) empty_stacks();
    return status;
}

void* HeapCore::fail() {
    ++failures_;
    return nullptr;
}

void* HeapCore::allocate_slow(size_t size, size_t align) {
    if (!is_small(size, align)) return allocate_large(size, align);
    if (!initialised()) return fail();
    unsigned const size_class = static_cast<unsigned>(class_of(size, align));
    if constexpr (defences::guard) {
        if (uintptr_t const address = take_guarded_small(own_, size, align); address != 0) {
            close_guard_of(address);
            return reinterpret_cast<void*>(address);
        }
    }
    uintptr_t const address = take_slot(size_class, size);
    return address != 0 ? reinterpret_cast<void*>(address) : obtain_block(size, align);
}

// What takes pages, and what cannot be had at all.
void* HeapCore::allocate_large(size_t size, size_t align) {
    if (!is_power_of_two(align) || !initialised()) return fail();
    if (size == 0) size = 1;
    Word const pages = pages_of(size, align);
    if (pages != 0) {
        uintptr_t const address = take_run(pages, pages_of_alignment(align));
        close_new_guard(address);
        if (address != 0) return reinterpret_cast<void*>(counted(address, pages, size));
    }
    return obtain_block(size, align);
}

void* HeapCore::allocate_pages(size_t count, size_t align) {
    if (!is_power_of_two(align) || !initialised()) return fail();
    count += count == 0;
    return obtain({count, count << page_shift, align});
}

void* HeapCore::obtain(Request const& request) {
    if (request.pages > all_ones >> page_shift) return fail();  // more than the address space
    for (bool asked = false;; asked = true) {
        uintptr_t const address = find(request);
        if (address != 0) return reinterpret_cast<void*>(address);
        if (asked || !asked_for_memory(request.size, request.align)) return fail();
    }
}

bool HeapCore::asked_for_memory(size_t size, size_t align) {
    return oom_hook_ != nullptr && oom_hook_(size, align) != 0;
}

// What is at hand, or a page of another class's spare; then, when fronts and empty slabs are collected, a
// slot of the class, or of a larger one that is aligned as well.
uintptr_t HeapCore::find_slot(Request const& request) {
    unsigned size_class = static_cast<unsigned>(class_of(request.size, request.align));
    uintptr_t address = take_slot(size_class, request.size);
    if (address == 0 && return_a_spare()) address = take_slot(size_class, request.size);
    if (address != 0) return address;
    collect_all();
    address = take_slot(size_class, request.size);
    while (address == 0 && ++size_class < class_count) {
        if (class_size(size_class) % request.align == 0 && with_room(size_class) != 0)
            address = take_slot(size_class, request.size);
    }
    return address;
}

uintptr_t HeapCore::find_pages(Request const& request) {
    Word const align = pages_of_alignment(request.align);
    for (bool collected = false;; collected = true) {
        uintptr_t address = take_run(request.pages, align);
        if (address == 0 && collected) address = search_run(request.pages, align);
        close_new_guard(address);
        if (address != 0) return counted(address, request.pages, request.size);
        if (collected) return 0;
        collect_all();
    }
}

void* HeapCore::allocate_zeroed(size_t size, size_t align) {
    void* const block = prepare(allocate(size, align), size);
    if (block != nullptr) zero(reinterpret_cast<uintptr_t>(block), size);
    return block;
}

HeapCore::Block HeapCore::live_block(uintptr_t address) const {
    PageView const* const view = view_of(address);
    if constexpr (defences::guard) {
        if (view != nullptr && tag::has_form(view->what(address))) return guarded_block(address);
    }
    if (view == nullptr || address % mark_unit != 0) return {0, 0};
    unsigned const what = view->what(address);
    if (what == tag::large && address % page_size == 0)
        return {atomic::load<atomic::relaxed>(view->slots(address)[0]) << page_shift, class_count};
    return view->is_live(address) ? Block{class_size(what), what} : Block{0, 0};
}

void HeapCore::deallocate_block(uintptr_t address, Block block, CallSite site) {
    Damage damage{};
    if constexpr (defences::touch_blocks) damage = retire_block(address, block, site.caller);
    if (!block.is_run()) {
        put_slot(block.size_class, address);
    } else {
        if constexpr (defences::guard) address = without_guard(address, block);
        if (!defences::guard || address != 0) free_run(*region_of(address), address >> page_shift);
        ++large_frees_;
    }
    report(site, damage);
}

void HeapCore::deallocate_slow(void* ptr, CallSite site) {
    uintptr_t const address = shadow::address_of(ptr);
    if (!defences::touch_blocks && primary_.knows(address) && address % page_size == 0 &&
        primary_.tag(address) == tag::large) {
        ++large_frees_;
        return free_run(*primary_region_, address >> page_shift);
    }
    deallocate_rarely(address, site);
}

void HeapCore::deallocate_rarely(uintptr_t address, CallSite site) {
    if (address == 0) return;
    Block const block = live_block(address);
    if (block.size == 0) {
        fault(site, address, 0, 0);
        return;
    }
    deallocate_block(address, block, site);
}

void HeapCore::deallocate_sized_slow(void* ptr, size_t size, size_t align, CallSite site) {
    uintptr_t const address = shadow::address_of(ptr);
    if (address == 0) return;
    Block const block = live_block(address);
    bool right = false;
    if (block.is_guarded_small()) {
        right = may_be_for(address, block, size, align);
    } else if (!block.is_large()) {
        right = block.size != 0 && may_hold(block.size_class, size, align);
    } else if (is_power_of_two(align) && address % align == 0) {
        right = pages_for(size + (size == 0)) == block.pages();
    }
    if (!right) {
        fault(site, address, size, align);
        return;
    }
    deallocate_block(address, block, site);
}

void HeapCore::deallocate_pages(void* ptr, size_t count, CallSite site) {
    uintptr_t const address = shadow::address_of(ptr);
    if (address == 0) return;
    count += count == 0;
    size_t size;
    if (__builtin_mul_overflow(count, page_size, &size)) size = all_ones;
    Block const block = live_block(address);
    if (!block.is_large() || block.pages() != count) {
        fault(site, address, size, page_size);
        return;
    }
    deallocate_block(address, block, site);
}

size_t HeapCore::usable_size(const void* ptr, CallSite site) {
    uintptr_t const address = shadow::address_of(ptr);
    Block const block = live_block(address);
    if (block.size == 0) fault(site, address, 0, 0);
    return block.size == 0 ? 0 : requested(address, block);
}

UsableSize HeapCore::usable_size(size_t size, size_t align) {
    size_t const asked = size + (size == 0);
    if (!is_power_of_two(align) || asked > all_ones - page_size) return {0, 0};
    if (defences::keep_sizes) return {size, asked};
    if (fits_a_class(asked, align)) return {size, class_sizes[class_of(asked, align)]};
    return {size, pages_for(asked) << page_shift};
}

// The checks that reserve and release share: what is not for the page allocator to refuse.
static int check_range(bool initialised, uintptr_t start, size_t size) {
    if (!initialised) return SLAB_ERR_NOT_INITIALISED;
    if (start % page_size != 0 || size % page_size != 0) return SLAB_ERR_ALIGN;
    return size == 0 ? SLAB_ERR_TOO_SMALL : SLAB_OK;
}

static PageRange page_range(uintptr_t start, size_t size) {
    return {start >> page_shift, (start >> page_shift) + (size >> page_shift)};
}

int HeapCore::reserve_free(uintptr_t start, size_t size) {
    int status = check_range(initialised(), start, size);
    if (status == SLAB_OK) status = PageAllocator::reserve(page_range(start, size));
    if constexpr (shadow::is_kept) {
        if (status == SLAB_OK) shadow::open(start, start + size);
    }
    return status;
}

int HeapCore::reserve(uintptr_t start, size_t size) {
    int const status = reserve_free(start, size);
    if (status != SLAB_ERR_IN_USE) return status;
    collect_all();  // what is in use may be no more than spares and the fronts' blocks
    return reserve_free(start, size);
}

int HeapCore::release(uintptr_t start, size_t size) {
    int status = check_range(initialised(), start, size);
    if (status == SLAB_OK) status = PageAllocator::release(page_range(start, size));
    if constexpr (shadow::is_kept) {
        if (status == SLAB_OK) shadow::close(start, start + size);
    }
    return status;
}

slab_fault_handler HeapCore::set_fault_handler(slab_fault_handler handler) {
    slab_fault_handler const previous = fault_handler_;
    fault_handler_ = handler;
    return previous;
}

slab_oom_hook HeapCore::set_oom_hook(slab_oom_hook hook) {
    slab_oom_hook const previous = oom_hook_;
    oom_hook_ = hook;
    return previous;
}

}  // namespace slabheap
