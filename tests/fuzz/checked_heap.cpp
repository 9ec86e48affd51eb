// SPDX-License-Identifier: MIT
//
// See checked_heap.hpp. Here are the calls that allocate, resize and free.
#include "checked_heap.hpp"

#include "class_set.hpp"
#include "content.hpp"
#include "trace.hpp"

#include <algorithm>
#include <bit>

namespace slabheap::fuzz {

using test::address_of;
using test::class_for;

namespace {

size_t at_least_one(size_t size) { return std::max<size_t>(size, 1); }
size_t pages_for(size_t size) { return (size + page_size - 1) / page_size; }

}  // namespace

CheckedHeap::CheckedHeap(Face& face, GuardedMemory& memory, int garbage)
    : face_(face), memory_(memory), garbage_(garbage) {
    current_ = this;
    caller = {0, CONTEXT_THREAD};
    face_.set_fault_handler(on_fault);
    face_.set_oom_hook(on_oom);
    say("a heap by %s\n", is_c() ? "the C ABI" : "class Heap");
}

// How a block is called in a trace: by its number. Other addresses by their place in the memory.
std::string CheckedHeap::name(uintptr_t address) {
    char text[64];
    const auto block = model_.live().find(address);
    if (block != model_.live().end()) {
        std::snprintf(text, sizeof text, "block %ju", number(block->second.pattern));
    } else if (memory_.contains(address, 1)) {
        std::snprintf(text, sizeof text, "memory + %#jx", uintmax_t{address - address_of(memory_.page(0))});
    } else {
        std::snprintf(text, sizeof text, "%#jx", uintmax_t{address});
    }
    return text;
}

uintptr_t CheckedHeap::block(size_t fraction) {
    if (live().empty()) return 0;
    return std::next(live().begin(), static_cast<ptrdiff_t>(fraction * live().size() / 256))->first;
}

// What no heap could serve fails at once.
bool CheckedHeap::is_possible(Layout layout) const {
    return !regions_.empty() && std::has_single_bit(layout.align) &&
           layout.size <= SIZE_MAX - (page_size - 1);
}

bool CheckedHeap::may_wait() const { return cpus_ == 1 || caller.context != CONTEXT_NMI; }

bool CheckedHeap::can_stay(const Request& request) {
    const auto block = model_.live().find(request.resized);
    if (block == model_.live().end() || model_.alignment(request.resized) < request.layout.align)
        return false;
    const size_t size = at_least_one(request.layout.size);
    if (size > memory_.size()) return false;
    return size <= block->second.size ||
           (block->second.run && model_.run_can_be(request.resized, pages_for(size)));
}

bool CheckedHeap::fits(const Request& request) {
    const auto [size, align] = request.layout;
    if (request.is_run) return model_.fits_run(at_least_one(size) / page_size, std::max(align, page_size));
    return can_stay(request) || model_.fits(at_least_one(size), align);
}

// Runs a call that is to give a block.
template <class Call>
void* CheckedHeap::result_of(Request& request, Call call) {
    request.gathers = !request.attempt && may_wait();
    if (caller.index < cpus_) callers_.set(caller.index);
    const size_t others = callers_.count() - (caller.index < cpus_ ? 1 : 0);
    request.surely = request.gathers && (cpus_ == 1 || others == 0 || barrier_ == Barrier::answers);
    request_ = &request;
    void* const result = call();
    request_ = nullptr;
    say(" = %s\n", result == nullptr ? "null" : name(address_of(result)).c_str());
    expect_at_rest();
    expect_told_writes(result);
    expect_no_fault();
    return result;
}

// Whether there is a block, and whether there must be: as the model says, in which the hook has freed by now
// what it freed.
void CheckedHeap::expect_result(const Request& request, const void* result) {
    if (!is_possible(request.layout)) {
        expect(result == nullptr, "what cannot be allocated is refused");
        expect(request.asked == 0, "the hook is not asked for what cannot be");
    } else if (request.asked != 0 && !request.answered) {
        expect(result == nullptr, "when the hook says no, a request fails");
    } else if (request.resized != 0 && !is_live(request.resized)) {
        expect(result == nullptr, "what the hook has freed is not resized");
    } else if (result != nullptr) {
        expect(fits(request), "there is room where a block is given");
    } else {
        expect(!request.surely || !fits(request), "a request that fits does not fail");
        expect(request.asked == (request.gathers ? 1 : 0), "the hook is asked before a request fails");
    }
    if (result == nullptr) ++failures_;
}

// The bytes that a new block takes. Where it may not be used to its end, the books say it.
size_t CheckedHeap::real_size(const Request& request, const void* result) {
    const auto [size, align] = request.layout;
    if (request.is_run || class_for(at_least_one(size), align) == 0)
        return pages(pages_for(at_least_one(size)));
    if (!test::has_canary) return face_.usable_size(result);
    const size_t resized = request.resized == 0 ? 0 : live().at(request.resized).size;
    return stats().used_bytes - (model_.used_bytes() - resized);
}

// A new block, whose place was free.
void CheckedHeap::took(const Request& request, const void* result) {
    const auto [size, align] = request.layout;
    const uintptr_t address = address_of(result);
    const size_t wanted = request.is_run ? 0 : class_for(at_least_one(size), align);
    const size_t real = real_size(request, result);
    const size_t usable = test::usable(size, real);
    expect(face_.owns(result), "a block that is given is the heap's");
    expect(face_.usable_size(result) == usable, "so much of a block may be used");
    expect(address % std::max<size_t>(align, 16) == 0, "a block is aligned");
    if (wanted == 0) {
        expect(model_.all_free(address, real / page_size), "a large block takes free pages");
    } else {
        expect(real >= size && class_for(real, align) == real, "a slot's class does for the request");
        expect(real == wanted || !request.surely || !model_.fits_own_class(wanted),
               "a larger class helps out only when there is no slot of the request's own");
        for (const uintptr_t byte : {address, address + real - 16}) {
            const int kind = model_.verdict(byte).kind;
            expect(kind == SLAB_FAULT_DOUBLE_FREE || kind == SLAB_FAULT_NEVER_ALLOCATED,
                   "a slot lies in no live block, and in the heap");
        }
    }
    HeapModel::Block& block = model_.allocated(address, real, wanted == 0);
    block.pattern = ++serial_;
    block.usable = usable;
    memory_.take(address, real);
    fill(address, usable, serial_);
    say("    block %ju has %zu bytes\n", number(serial_), usable);
}

void* CheckedHeap::allocate(Layout layout, Way way, size_t count) {
    size_t size;
    const bool overflows = __builtin_mul_overflow(count, layout.size, &size);
    Request request{{overflows ? SIZE_MAX : size, layout.align}};
    request.attempt = way == Way::attempt;
    void* const result = result_of(request, [&] {
        if (way == Way::zeroed && is_c()) say("slab_calloc(%zu, %zu)", count, layout.size);
        if (way == Way::zeroed) {
            if (!is_c()) say("slab_calloc(1, %zu) aligned to %zu", layout.size, layout.align);
            const GuardedMemory::Opened opened(memory_);
            return face_.allocate_zeroed(count, layout);
        }
        say("slab_%s(%zu, %zu)", request.attempt ? "try_alloc" : "alloc", layout.size, layout.align);
        return request.attempt ? face_.try_allocate(layout) : face_.allocate(layout);
    });
    expect_result(request, result);
    if (result == nullptr) return nullptr;
    expect(way != Way::zeroed || test::is_zero(result, size), "slab_calloc gives zeros");
    took(request, result);
    return result;
}

void* CheckedHeap::allocate_pages(size_t count, size_t align) {
    const bool overflows = count > SIZE_MAX / page_size;
    Request request{{overflows ? SIZE_MAX : pages(at_least_one(count)), align}};
    request.is_run = true;
    void* const result = result_of(request, [&] {
        say("slab_alloc_pages(%zu, %zu)", count, align);
        return face_.allocate_pages(count, align);
    });
    expect_result(request, result);
    if (result != nullptr) took(request, result);
    return result;
}

void CheckedHeap::reallocate(uintptr_t address, Layout layout) {
    const Passed passed{"slab_realloc", address, layout.size, layout.align};
    const auto call = [&] {
        say("slab_realloc(%s, %zu, %zu)", name(address).c_str(), layout.size, layout.align);
        const GuardedMemory::Opened opened(memory_, address);
        return face_.reallocate(pointer(address), layout);
    };
    if (address != 0 && !is_live(address)) {
        return expect_fault(passed, false, [&] { expect(call() == nullptr, "a fault gives null"); });
    }
    Request request{layout};
    request.resized = address;
    const HeapModel::Block old = address == 0 ? HeapModel::Block{} : live().at(address);
    void* const result = result_of(request, call);
    expect_result(request, result);
    if (address == 0) {
        if (result != nullptr) took(request, result);
        return;
    }
    const bool can_stay = is_possible(layout) && this->can_stay(request);
    const size_t size = at_least_one(layout.size);
    if (can_stay && size <= old.size) expect(result == pointer(address), "what can stay, stays");
    if (result == nullptr) {
        expect(!is_live(address) || is_filled(address, old.usable, old.pattern),
               "a failure leaves the block");
        return;
    }
    expect(is_filled(address_of(result), std::min(size, old.usable), old.pattern), "the content is kept");
    if (result == pointer(address)) {
        expect(can_stay, "a block stays where there is room");
        const size_t real = old.run ? pages(pages_for(size)) : old.size;
        const size_t usable = test::usable(size, real);
        expect(face_.usable_size(result) == usable, "a block that stays has its size");
        if (old.run) model_.run_resized(address, real);
        live().at(address).usable = usable;
        memory_.take(address, real);
        fill(address, usable, old.pattern);
    } else {
        const size_t real = real_size(request, result);
        expect_no_copy_behind(address_of(result), real, old);
        took(request, result);
        freed(address);
    }
}

void CheckedHeap::freed(uintptr_t address) {
    model_.freed(address);
    memory_.give(address);
    freed_last_ = address;
    if (written_ && model_.class_of_slab(written_->block) == 0) is_surely_written_ = false;
    expect(!face_.owns(pointer(address)), "a freed block is not the heap's");
}

template <class Call>
void CheckedHeap::free(const Passed& passed, bool is_right, Call call) {
    if (passed.address != 0 && !(is_live(passed.address) && is_right)) {
        return expect_fault(passed, is_live(passed.address), call);
    }
    if (passed.address != 0) expect_content(passed.address);
    if (caller.index < cpus_) callers_.set(caller.index);
    {
        const GuardedMemory::Filled filled(memory_, passed.address);
        call();
    }
    say("\n");
    expect_at_rest();
    expect_no_fault();
    if (passed.address != 0) freed(passed.address);
}

void CheckedHeap::deallocate(uintptr_t address) {
    free({"slab_free", address, 0, 0}, true, [&] {
        say("slab_free(%s)", name(address).c_str());
        face_.deallocate(pointer(address));
    });
}

// Can a block have been allocated with the layout?
bool CheckedHeap::could_have(uintptr_t address, Layout layout) {
    if (!is_live(address) || !std::has_single_bit(layout.align)) return false;
    const HeapModel::Block& block = live().at(address);
    if (layout.align > model_.alignment(address) || layout.size > block.size) return false;
    const size_t size = at_least_one(layout.size);
    return block.run ? pages(pages_for(size)) == block.size : class_for(size, layout.align) != 0;
}

void CheckedHeap::deallocate(uintptr_t address, Layout layout) {
    const Passed passed{"slab_free_sized", address, layout.size, layout.align};
    free(passed, could_have(address, layout), [&] {
        say("slab_free_sized(%s, %zu, %zu)", name(address).c_str(), layout.size, layout.align);
        face_.deallocate(pointer(address), layout);
    });
}

void CheckedHeap::deallocate_pages(uintptr_t address, size_t count) {
    const bool overflows = count > SIZE_MAX / page_size;
    const size_t size = overflows ? SIZE_MAX : pages(at_least_one(count));
    const bool is_right = is_live(address) && live().at(address).run && live().at(address).size == size;
    free({"slab_free_pages", address, size, page_size}, is_right, [&] {
        say("slab_free_pages(%s, %zu)", name(address).c_str(), count);
        face_.deallocate_pages(pointer(address), count);
    });
}

void CheckedHeap::usable_size(uintptr_t address) {
    size_t size = 0;
    const auto call = [&] {
        say("slab_usable_size(%s)", name(address).c_str());
        size = face_.usable_size(pointer(address));
    };
    if (!is_live(address)) {
        expect_fault({"slab_usable_size", address, 0, 0}, false, call);
        return expect(size == 0, "a fault gives 0");
    }
    call();
    say(" = %zu\n", size);
    expect_no_fault();
    expect(size == live().at(address).usable, "a block keeps its size");
}

void CheckedHeap::usable_size(Layout layout) {
    if (is_c()) return;
    const UsableSize found = face_.usable_size(layout);
    say("usable_size(%zu, %zu) = %zu ... %zu\n", layout.size, layout.align, found.min, found.max);
    if (!std::has_single_bit(layout.align) || layout.size > SIZE_MAX - page_size) {
        return expect(found.min == 0 && found.max == 0, "what cannot be allocated has no size");
    }
    const size_t size = at_least_one(layout.size);
    const size_t size_class = class_for(size, layout.align);
    expect(found.min == layout.size, "what is asked for can be used");
    const size_t real = size_class != 0 ? size_class : pages(pages_for(size));
    expect(found.max == test::usable(size, real), "a layout's class or pages");
}

void CheckedHeap::owns(uintptr_t address) {
    const bool found = face_.owns(pointer(address));
    say("slab_owns(%s) = %d\n", name(address).c_str(), found);
    expect_no_fault();
    expect(found == is_live(address), "the heap owns its live blocks, by their starts");
}

}  // namespace slabheap::fuzz
