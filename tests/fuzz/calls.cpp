// SPDX-License-Identifier: MIT
//
// The harness "calls": the bytes are a sequence of calls as programs make them, and of their usual mistakes,
// on heaps of several shapes, by either face, on one CPU or several, with a hook that frees blocks, adds
// memory, or does neither.
#include "checked_heap.hpp"
#include "heap_shapes.hpp"
#include "input.hpp"
#include "trace.hpp"

#include <algorithm>

namespace slabheap::fuzz {
namespace {

using test::address_of;
using Way = CheckedHeap::Way;

constexpr size_t most_pages = 4097;

class Calls {
public:
    Calls(GuardedMemory& memory, Input input)
        : memory_(memory),
          input_(input),
          face_(input_.byte()),
          is_c_(face_ % 2 != 0),
          shape_(test::heap_shapes[input_.byte() % std::size(test::heap_shapes)]),
          heap_(is_c_ ? new_c_heap() : new_heap(), memory, static_cast<int>(input_.byte())) {
        memory_.renew(shape_.page_count());
        add_region();
        if (face_ >= 128) set_cpus(1 + face_ / 2 % 4);
    }

    void run() {
        for (size_t i = 1; !input_.ended(); ++i) {
            call();
            caller.context = CONTEXT_THREAD;
            if (i % 32 == 0) heap_.check_all();
            if (i % largeness_ == 0) heap_.check_figures();
        }
        heap_.finish();
    }

private:
    void call() {
        switch (input_.below(40)) {
            case 0:
            case 1:
            case 2:
            case 3: return allocate(Way::plain);
            case 4:
            case 5: return allocate(Way::zeroed);
            case 6: return allocate(heap_.is_c() ? Way::attempt : Way::plain);
            case 7: return allocate_many();
            case 8:
            case 9:
            case 10: return heap_.deallocate(any_block());
            case 11: return free_many();
            case 12: return have_all();
            case 13: return free_sized();
            case 14: return overflow();
            case 15: return free_and_allocate();
            case 16: return write_after_free();
            case 17: return heap_.reallocate(any_block(), layout());
            case 18: return grow();
            case 19: return move();
            case 20:
            case 21: return allocate_pages();
            case 22:
            case 23: return free_pages();
            case 24: return add_region();
            case 25: return reserve();
            case 26: return release();
            case 27: return misuse(heap_.freed_last());
            case 28: return misuse(any_block() + 16 * input_.byte());
            case 29: return misuse(any_block() + input_.byte());
            case 30: return misuse(any_place());
            case 31: return wrong_size();
            case 32: return plan();
            case 33: return set_cpus(1 + input_.below(4));
            case 34:
            case 35: return next_caller();
            case 36: return heap_.set_barrier(static_cast<CheckedHeap::Barrier>(input_.below(3)));
            case 37: return heap_.walk(input_.below(8));
            case 38: return heap_.seed(input_.number(8));
            case 39: return heap_.usable_size(layout());
        }
    }

    Layout layout() {
        const size_t size = input_.size();
        return {size, input_.align()};
    }
    uintptr_t any_block() { return heap_.block(input_.byte()); }
    // The next one from a place on; 0: there is none.
    uintptr_t any_run() {
        auto block = heap_.live().lower_bound(any_block());
        while (block != heap_.live().end() && !block->second.run) ++block;
        return block == heap_.live().end() ? 0 : block->first;
    }
    size_t any_page() { return input_.byte() * shape_.page_count() / 256; }
    uintptr_t any_place() {
        const std::byte* const page = memory_.page(any_page());
        return address_of(page + 16 * input_.byte());
    }

    // So many at once, until that has become too long.
    size_t several() {
        const size_t count = std::min(input_.byte(), at_once_);
        at_once_ -= count;
        return count;
    }

    void add_region() {
        if (regions_ == shape_.spans.size()) return;
        const test::Span span = shape_.spans[regions_];
        const uintptr_t start = address_of(memory_.page(span.first));
        regions_++ == 0 ? heap_.init(start, pages(span.count)) : heap_.add_memory(start, pages(span.count));
    }

    void allocate(Way way) {
        const Layout layout = this->layout();
        if (way == Way::zeroed && heap_.is_c()) {
            heap_.allocate({layout.size, 16}, way, input_.byte() == 255 ? SIZE_MAX / 8 : 1 + input_.below(3));
        } else {
            heap_.allocate(layout, way);
        }
    }
    void allocate_many() {
        const Layout layout = this->layout();
        for (size_t count = several(); count-- != 0 && heap_.allocate(layout, Way::plain) != nullptr;) {
        }
    }
    void allocate_pages() {
        const size_t count = input_.byte();
        heap_.allocate_pages(count < 128 ? count % 16 : count < 255 ? count : SIZE_MAX / 2, input_.align());
    }

    // So many, beginning with one, that are in the order of addresses or not.
    void free_many() {
        const size_t first = input_.byte(), step = input_.byte();
        for (size_t count = several(), i = 0; i < count && heap_.has_block(); ++i) {
            heap_.deallocate(heap_.block((first + i * step) % 256));
        }
    }
    // The pages that many blocks had are one run as soon as those are freed, in whatever order.
    void have_all() {
        const Layout layout = this->layout();
        std::vector<uintptr_t> blocks;
        for (size_t count = several(); count-- != 0;) {
            const void* const block = heap_.allocate(layout, Way::plain);
            if (block == nullptr) break;
            blocks.push_back(address_of(block));
        }
        const size_t step = 1 + input_.below(9);
        for (size_t first = 0; first < step; ++first) {
            for (size_t i = first; i < blocks.size(); i += step) {
                if (heap_.live().contains(blocks[i])) heap_.deallocate(blocks[i]);
            }
        }
        void* const all = heap_.allocate_pages(heap_.longest_run(), page_size);
        if (all != nullptr) heap_.deallocate(address_of(all));
    }
    void free_sized() {
        const uintptr_t block = any_block();
        if (block == 0) return heap_.deallocate(0, layout());
        const size_t size = heap_.live().at(block).size;
        const size_t less = input_.byte(), shift = input_.below(13);
        const size_t align = heap_.alignment(block) >> shift;
        heap_.deallocate(block, {size - std::min(less, size), align == 0 ? 1 : align});
    }
    // The block freed last comes first.
    void free_and_allocate() {
        const uintptr_t block = any_block();
        if (block == 0) return;
        const auto [size, is_run, pattern, usable] = heap_.live().at(block);
        const size_t align = heap_.alignment(block);
        heap_.deallocate(block);
        if (is_run) return;
        const void* const again = heap_.allocate({size, align}, Way::plain);
        expect(!test::is_lifo || heap_.cpus() != 1 || address_of(again) == block,
               "the block freed last comes first");
    }
    void free_pages() {
        const uintptr_t block = any_block();
        heap_.deallocate_pages(block, block == 0 ? 1 : heap_.live().at(block).size / page_size);
    }

    // To all pages that are free behind it; or to one more, or less.
    void grow() {
        const uintptr_t run = any_run();
        if (run == 0) return heap_.reallocate(any_block(), layout());
        const size_t less = input_.byte();
        heap_.reallocate(run, {pages(heap_.longest_at(run) + 1) - pages(less % 3) - less / 3 * 16, 1});
    }
    // A block to where its alignment is larger; most are large ones that shrink.
    void move() {
        const size_t kind = input_.byte();
        uintptr_t block = kind % 4 == 0 ? any_block() : any_run();
        if (block == 0) block = address_of(heap_.allocate_pages(2 + kind / 4 % 8, page_size));
        if (block == 0) return;
        const size_t size = heap_.live().at(block).size >> (kind / 32 + 1) % 4;
        heap_.reallocate(block, {size - std::min(input_.byte(), size), 2 * heap_.alignment(block)});
    }
    void overflow() {
        const uintptr_t block = any_block();
        const size_t skip = input_.byte(), count = input_.below(16);
        heap_.overflow(block, skip, count, static_cast<CheckedHeap::End>(input_.below(3)));
    }
    // And gets slots of its size until it is handed out again, or there were many.
    void write_after_free() {
        const uintptr_t block = any_block();
        if (block == 0) return;
        const auto [size, is_run, pattern, usable] = heap_.live().at(block);
        heap_.deallocate(block);
        heap_.write_after_free(input_.byte());
        for (size_t i = 0; i < 4 && !is_run; ++i) heap_.allocate({size, 1}, Way::plain);
    }

    void reserve() {
        reserved_ = {any_page(), input_.byte() % 32};
        heap_.reserve(address_of(memory_.page(reserved_.first)), pages(reserved_.count));
    }
    // What was reserved last; or less, or more.
    void release() {
        const size_t first = reserved_.first + input_.below(3), less = input_.below(3);
        const size_t count = reserved_.count + 1 - std::min(less, reserved_.count);
        heap_.release(address_of(memory_.page(first)) - pages(1), pages(count));
    }

    void misuse(uintptr_t address) {
        heap_.owns(address);
        switch (input_.below(5)) {
            case 0: return heap_.deallocate(address);
            case 1: return heap_.deallocate(address, layout());
            case 2: return heap_.deallocate_pages(address, input_.byte());
            case 3: return heap_.reallocate(address, layout());
            case 4: return heap_.usable_size(address);
        }
    }
    void wrong_size() {
        const uintptr_t block = any_block();
        if (block == 0) return;
        const size_t size = heap_.live().at(block).size;
        switch (input_.below(3)) {
            case 0: return heap_.deallocate(block, {size + 1 + input_.byte(), 1});
            case 1: return heap_.deallocate(block, {size, 2 * heap_.alignment(block)});
            case 2: return heap_.deallocate_pages(block, size / page_size + 1);
        }
    }

    void plan() {
        OomPlan plan;
        const size_t what = input_.byte();
        plan.tries_again = what % 2 != 0;
        plan.frees = what / 2 % 8;
        plan.frees_the_block = what / 16 % 4 == 0;
        if (what / 64 == 1 && regions_ < shape_.spans.size()) {
            plan.page = shape_.spans[regions_].first;
            plan.pages = shape_.spans[regions_].count;
            ++regions_;
        }
        heap_.plan(plan);
    }

    void set_cpus(size_t count) { heap_.set_cpus(count, CheckedHeap::cpu_memory(), slab_cpu_memory(count)); }
    // Stays for the calls that follow; an NMI makes one call. A CPU beyond those that have fronts has none.
    void next_caller() {
        const size_t what = input_.byte();
        caller.index = what % (heap_.cpus() + 1);
        caller.context = static_cast<cpu_context>(what / 16 % 3);
        say("on CPU %zu, %s: ", caller.index, caller.context == CONTEXT_NMI ? "in an NMI" : "not in an NMI");
        const Layout layout = this->layout();
        switch (input_.below(8)) {
            case 0:
            case 1: heap_.allocate(layout, Way::plain); return;
            case 2: heap_.allocate(layout, heap_.is_c() ? Way::attempt : Way::plain); return;
            case 3: heap_.allocate_pages(layout.size / page_size, layout.align); return;
            case 4: return heap_.reallocate(any_block(), layout);
            case 5: return misuse(heap_.freed_last());
            default: return heap_.deallocate(any_block());
        }
    }

    GuardedMemory& memory_;
    Input input_;
    size_t face_;
    bool is_c_;
    const test::Shape& shape_;
    CheckedHeap heap_;
    // The model of a large heap takes long to look at.
    const size_t largeness_ = 1 + shape_.page_count() / 512;
    size_t at_once_ = 2000 / largeness_;
    size_t regions_ = 0;
    test::Span reserved_{};
};

}  // namespace
}  // namespace slabheap::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    using namespace slabheap::fuzz;
    static GuardedMemory memory(most_pages);
    Calls(memory, Input(bytes, size)).run();
    return 0;
}
