// SPDX-License-Identifier: MIT
//
// Random sequences of every call, misuse included, on heaps of several shapes, held against the plain model
// after each step: result, size, alignment and content of every block, the figures, the kind of every fault,
// and the audit. The model says whether a request fits; one that fits must not fail, and one that does not
// must.
//
// SLABHEAP_SEED chooses the sequence (default 1), SLABHEAP_STEPS its length; a failure prints both.
#include "class_set.hpp"
#include "content.hpp"
#include "heap_model.hpp"
#include "heap_shapes.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

namespace slabheap::test {
namespace {

unsigned long setting(const char* name, unsigned long otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoul(text, nullptr, 0);
}

size_t hook_calls;

int count_hook_calls(size_t, size_t) {
    ++hook_calls;
    return 0;
}

class Random : public ::testing::TestWithParam<Shape> {
protected:
    Random()
        : seed(setting("SLABHEAP_SEED", 1)),
          steps(setting("SLABHEAP_STEPS", 20000)),
          random(seed),
          spans(GetParam().spans),
          memory(pages(GetParam().page_count())) {}

    void SetUp() override {
        std::printf("SLABHEAP_SEED=%lu SLABHEAP_STEPS=%lu\n", seed, steps);
        heap.set_fault_handler(FaultRecorder::handler);
        heap.set_oom_hook(count_hook_calls);
        hook_calls = 0;
        ASSERT_EQ(SLAB_OK, heap.init(memory.page(spans[0].first), pages(spans[0].count)));
        learn_region(spans[0], 0);
    }

    unsigned long seed;
    unsigned long steps;
    std::mt19937_64 random;
    std::vector<Span> spans;
    TestMemory memory;
    FaultRecorder faults;
    Heap heap;
    HeapModel model;
    size_t regions = 1;
    size_t failures = 0;
    size_t fault_count = 0;
    size_t expected_hook_calls = 0;
    bool filling = true;

    size_t below(size_t bound) { return static_cast<size_t>(random() % bound); }
    bool chance(unsigned percent) { return below(100) < percent; }

    // Sizes as kernels ask for them, sometimes pages, seldom nearly everything.
    size_t any_size() {
        const size_t kind = below(20);
        if (kind < 15) return below(size_t{2} << below(12));
        if (kind < 19) return below(pages(2 + spans[0].count / 8));
        return below(pages(spans[0].count + 3));
    }
    size_t any_align() { return chance(70) ? size_t{1} << below(5) : size_t{1} << below(17); }

    uintptr_t any_block() {
        if (model.live().empty()) return 0;
        auto block = model.live().lower_bound(address_of(memory.start()) + below(memory.size()));
        return (block == model.live().end() ? model.live().begin() : block)->first;
    }
    size_t any_align_of(uintptr_t block) {
        return model.alignment(block) >> below(std::bit_width(model.alignment(block)));
    }
    static void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

    void learn_region(Span span, size_t metadata_before) {
        const size_t map = stats_of(heap).metadata_bytes - metadata_before;
        model.add_region(address_of(memory.page(span.first)) + map, span.count - map / page_size);
    }

    void fill_anew(uintptr_t address, HeapModel::Block& block) {
        block.pattern = random();
        fill(pointer(address), block.usable, block.pattern);
    }

    void ran_out_of_memory() {
        ++failures;
        ++expected_hook_calls;
    }

    // What every allocation must have given, when the model says that it fits and that its own class serves
    // it.
    void expect_block(void* result, size_t size, size_t align, bool fits, size_t own_class) {
        ASSERT_EQ(fits, result != nullptr) << size << " bytes aligned to " << align;
        if (result == nullptr) return ran_out_of_memory();
        const uintptr_t address = address_of(result);
        const size_t real = heap.used_bytes() - model.used_bytes();
        ASSERT_GE(real, std::max<size_t>(size, 1));
        ASSERT_EQ(usable(size, real), heap.usable_size(result));
        ASSERT_EQ(0u, address % std::max<size_t>(align, 16));
        ASSERT_TRUE(memory.contains(result, real));
        const size_t wanted = class_for(size, align);
        if (wanted == 0) {
            ASSERT_EQ((std::max<size_t>(size, 1) + page_size - 1) / page_size * page_size, real);
        } else {
            ASSERT_EQ(own_class != 0 ? own_class : class_for(real, align), real)
                << "its own class, or a larger one that has the alignment";
        }
        for (const uintptr_t byte : {address, address + real - 16}) {
            const int kind = model.verdict(byte).kind;
            ASSERT_TRUE(kind == SLAB_FAULT_DOUBLE_FREE || kind == SLAB_FAULT_NEVER_ALLOCATED)
                << "it lies in a live block, or in no page of the heap";
        }
        HeapModel::Block& block = model.allocated(address, real, wanted == 0);
        block.usable = usable(size, real);
        fill_anew(address, block);
    }

    void allocate(bool zeroed) {
        const size_t size = any_size();
        const size_t align = any_align();
        const size_t asked = std::max<size_t>(size, 1);
        const bool fits = model.fits(asked, align);
        const size_t wanted = class_for(asked, align);
        const size_t own_class = wanted != 0 && model.fits_own_class(wanted) ? wanted : 0;
        void* result = zeroed ? heap.allocate_zeroed({size, align}) : heap.allocate({size, align});
        ASSERT_TRUE(!zeroed || result == nullptr || is_zero(result, size));
        expect_block(result, size, align, fits, own_class);
    }

    void allocate_pages() {
        const size_t count = below(2 + spans[0].count / 4);
        const size_t align = chance(50) ? page_size : any_align();
        const size_t asked = std::max<size_t>(count, 1);
        const bool fits = model.fits_run(asked, std::max(align, page_size));
        void* run = heap.allocate_pages(count, align);
        ASSERT_EQ(fits, run != nullptr) << count << " pages aligned to " << align;
        if (run == nullptr) return ran_out_of_memory();
        ASSERT_EQ(0u, address_of(run) % std::max(align, page_size));
        ASSERT_EQ(pages(asked), heap.usable_size(run));
        ASSERT_TRUE(model.all_free(address_of(run), asked));
        fill_anew(address_of(run), model.allocated(address_of(run), pages(asked), true));
    }

    void free_block() {
        const uintptr_t address = any_block();
        if (address == 0) return heap.deallocate(nullptr);
        const HeapModel::Block block = model.live().at(address);
        ASSERT_TRUE(is_filled(pointer(address), block.usable, block.pattern));
        const size_t least = block.run ? block.size - page_size + 1 : 0;
        switch (below(3)) {
            case 0:
                heap.deallocate(pointer(address));
                break;
            case 1:
                heap.deallocate(pointer(address),
                                {least + below(block.size - least + 1), any_align_of(address)});
                break;
            case 2:
                block.run ? heap.deallocate_pages(pointer(address), block.size / page_size)
                          : heap.deallocate(pointer(address));
                break;
        }
        model.freed(address);
        if (is_lifo && !block.run && chance(30)) {
            ASSERT_EQ(pointer(address), heap.allocate({block.size, alignment_of(block.size)}))
                << "the block freed last comes first";
            fill_anew(address, model.allocated(address, block.size, false));
        }
    }

    void reallocate() {
        const uintptr_t address = any_block();
        const size_t size = any_size();
        const size_t align = any_align();
        const size_t asked = std::max<size_t>(size, 1);
        if (address == 0) {
            return;
        }
        const HeapModel::Block old = model.live().at(address);
        const size_t page_count = (asked + page_size - 1) / page_size;
        const bool aligned = model.alignment(address) >= align;
        const bool stays = aligned && asked <= old.size;
        const bool can_grow = aligned && old.run && model.run_can_be(address, page_count);
        const bool fits = stays || can_grow || model.fits(asked, align);
        void* result = heap.reallocate(pointer(address), {size, align});
        ASSERT_EQ(fits, result != nullptr) << old.size << " bytes to " << size << " aligned to " << align;
        if (result == nullptr) {
            ASSERT_TRUE(is_filled(pointer(address), old.usable, old.pattern)) << "a failure leaves the block";
            return ran_out_of_memory();
        }
        ASSERT_EQ(0u, address_of(result) % align);
        ASSERT_TRUE(is_filled(result, std::min(size, old.usable), old.pattern));
        const size_t real = heap.used_bytes() - (model.used_bytes() - old.size);
        ASSERT_GE(real, asked);
        ASSERT_EQ(usable(size, real), heap.usable_size(result));
        ASSERT_TRUE(!stays || address_of(result) == address) << "it can stay in place";
        if (address_of(result) == address) {
            ASSERT_TRUE(stays || can_grow);
            ASSERT_EQ(old.run ? pages(page_count) : old.size, real);
        }
        if (address_of(result) != address) {
            model.allocated(address_of(result), real, class_for(asked, align) == 0);
            model.freed(address);
        } else if (old.run) {
            model.run_resized(address, real);
        }
        HeapModel::Block& block = model.live().at(address_of(result));
        block.usable = usable(size, real);
        fill_anew(address_of(result), block);
    }

    void add_memory() {
        if (regions == spans.size()) {
            return;
        }
        const Span span = spans[regions];
        const size_t metadata = stats_of(heap).metadata_bytes;
        ASSERT_EQ(SLAB_OK, heap.add_memory(memory.page(span.first), pages(span.count)));
        learn_region(span, metadata);
        ++regions;
        ASSERT_EQ(SLAB_ERR_OVERLAP, heap.add_memory(memory.page(span.first), pages(span.count)));
    }

    void reserve_or_release() {
        const uintptr_t first = address_of(memory.page(below(memory.size() / page_size)));
        const size_t count = 1 + below(1 + spans[0].count / 8);
        if (!model.in_one_region(first, count)) return;
        const bool all_free = model.all_free(first, count);
        const bool all_reserved = model.all_reserved(first, count);
        if (chance(filling ? 20 : 60)) {
            ASSERT_EQ(all_reserved ? SLAB_OK : SLAB_ERR_RANGE, heap.release(pointer(first), pages(count)));
            if (all_reserved) {
                model.set_reserved(first, count, false);
            }
        } else {
            ASSERT_EQ(all_free ? SLAB_OK : SLAB_ERR_IN_USE, heap.reserve(pointer(first), pages(count)));
            if (all_free) {
                model.set_reserved(first, count, true);
            }
        }
    }

    // Any address, to any call that takes a block; what the model calls a live block is left alone.
    void misuse() {
        uintptr_t address = address_of(memory.start()) + below(memory.size()) / 16 * 16;
        if (chance(40) && !model.live().empty()) {
            address = any_block();
            address += chance(50) ? 16 * below(8) : below(pages(2));
        }
        const HeapModel::Verdict verdict = model.verdict(address);
        ASSERT_EQ(verdict.kind == 0, heap.owns(pointer(address)));
        if (verdict.kind == 0) {
            return misuse_size(address);
        }
        const slab_stats before = stats_of(heap);
        switch (below(5)) {
            case 0:
                heap.deallocate(pointer(address));
                break;
            case 1:
                heap.deallocate(pointer(address), {any_size(), any_align()});
                break;
            case 2:
                ASSERT_EQ(nullptr, heap.reallocate(pointer(address), {any_size(), any_align()}));
                break;
            case 3:
                ASSERT_EQ(0u, heap.usable_size(pointer(address)));
                break;
            case 4:
                heap.deallocate_pages(pointer(address), below(4));
                break;
        }
        const RecordedFault fault = faults.take();
        ASSERT_TRUE(verdict.allows(fault.record.kind)) << fault.sentence;
        ASSERT_EQ(pointer(address), fault.record.address);
        ASSERT_TRUE(same_books(before, stats_of(heap), 1));
        ++fault_count;
    }

    void misuse_size(uintptr_t address) {
        const HeapModel::Block block = model.live().at(address);
        const slab_stats before = stats_of(heap);
        switch (below(3)) {
            case 0:
                heap.deallocate(pointer(address), {block.size + 1 + below(pages(2)), 8});
                break;
            case 1:
                heap.deallocate(pointer(address), {block.run ? block.size : below(block.size),
                                                   2 * model.alignment(address)});
                break;
            case 2:
                heap.deallocate_pages(pointer(address), block.size / page_size + 1);
                break;
        }
        ASSERT_EQ(SLAB_FAULT_WRONG_SIZE, faults.take().record.kind);
        ASSERT_TRUE(same_books(before, stats_of(heap), 1));
        ++fault_count;
    }

    void bad_request() {
        void* const block = pointer(any_block());
        const size_t bad_align = 3 + 2 * below(1000);
        switch (below(4)) {
            case 0:
                ASSERT_EQ(nullptr, heap.allocate({any_size(), bad_align}));
                break;
            case 1:
                ASSERT_EQ(nullptr, heap.allocate_pages(below(9), bad_align));
                break;
            case 2:
                ASSERT_EQ(nullptr, heap.allocate_zeroed({any_size(), 0}));
                break;
            case 3:
                ASSERT_EQ(nullptr, heap.reallocate(block, {any_size(), bad_align}));
                break;
        }
        ++failures;
    }

    void step() {
        if (below(400) == 0) {
            filling = !filling;
        }
        const size_t kind = below(100);
        if (kind < (filling ? 45 : 20)) return allocate(chance(20));
        if (kind < 65) return free_block();
        if (kind < 75) return reallocate();
        if (kind < 82) return allocate_pages();
        if (kind < 84) return add_memory();
        if (kind < 88) return reserve_or_release();
        if (kind < 98) return misuse();
        return bad_request();
    }

    void check_figures() {
        const slab_stats stats = stats_of(heap);
        ASSERT_TRUE(model.agrees_with(stats));
        ASSERT_EQ(failures, stats.failures);
        ASSERT_EQ(fault_count, stats.faults);
        ASSERT_EQ(expected_hook_calls, hook_calls);
    }

    void check_content() {
        std::vector<std::pair<void*, size_t>> expected;
        for (const auto& [address, block] : model.live()) {
            ASSERT_TRUE(is_filled(pointer(address), block.usable, block.pattern)) << pointer(address);
            expected.emplace_back(pointer(address), block.size);
        }
        decltype(expected) walked;
        heap.walk([](void* block, size_t size,
                     void* to) { static_cast<decltype(walked)*>(to)->emplace_back(block, size); },
                  &walked);
        ASSERT_EQ(expected, walked);
    }

    void expect_whole_when_all_is_freed() {
        while (!model.live().empty()) {
            const uintptr_t address = any_block();
            heap.deallocate(pointer(address));
            model.freed(address);
        }
        ASSERT_EQ(heap.total_bytes(), heap.available_bytes());
        const size_t longest = model.longest_run();
        if (longest != 0) {
            ASSERT_NE(nullptr, heap.allocate_pages(longest)) << "the longest run of free pages: " << longest;
        }
    }
};

TEST_P(Random, EveryStepAgreesWithTheModel) {
    for (unsigned long i = 0; i < steps && !HasFailure(); ++i) {
        SCOPED_TRACE("step " + std::to_string(i) + " of SLABHEAP_SEED=" + std::to_string(seed));
        step();
        if (HasFailure()) return;
        check_figures();
        ASSERT_TRUE(audits(heap));
        if (i % 64 == 0) check_content();
    }
    ASSERT_FALSE(HasFailure());
    check_content();
    expect_whole_when_all_is_freed();
    ASSERT_TRUE(audits(heap));
}

INSTANTIATE_TEST_SUITE_P(Heaps, Random, ::testing::ValuesIn(heap_shapes),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace slabheap::test
