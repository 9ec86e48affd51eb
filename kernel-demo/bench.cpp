// SPDX-License-Identifier: MIT
//
// Each workload is a row of the table. It is walked through twice for each form of free, and counted the
// second time, when the part of the page map that it needs is in use. The rows share a heap of one region,
// which is a block of the kernel's own heap; each leaves it empty.
#include "bench.hpp"

#include "counted_heap.hpp"
#include "print.h"
#include "random.hpp"
#include "record.h"
#include "report.hpp"

namespace demo {

namespace {

constexpr size_t kib = 1024;
constexpr size_t region_bytes = 32 * kib * kib;
constexpr size_t region_align = 4 * kib * kib;  // whatever the size of the kernel's image
constexpr size_t pairs = 200000;                // of an allocation and a free, in each walk
constexpr size_t most_live = 20000;

enum class Shape {
    replace,  // all blocks are live: frees a random one, allocates another in its place
    batch,    // allocates all blocks, then frees them in the same order
    shuffle,  // allocates all blocks, then frees them in random order
};

struct Row {
    const char* name;
    const char* blocks;
    Shape shape;
    size_t live;  // blocks at a time
    size_t (*size)(Random&);
};

// low * 2^x, where any x below `doublings` is as likely as any other. x has 16 bits behind the point; if f is
// what they stand for, 2^f is 1 + f * (0.66 + 0.34 * f), within 0.3 percent.
size_t log_uniform(Random& random, size_t low, unsigned doublings) {
    size_t x = random.below(doublings << 16);
    size_t f = x & 0xffff;
    uint64_t power = 0x10000 + (f * (43254 + (22282 * f >> 16)) >> 16);
    return static_cast<size_t>((power * (low << (x >> 16)) + 0x8000) >> 16);
}

size_t always_64(Random&) {
    return 64;
}

size_t small(Random& random) {
    return log_uniform(random, 8, 9);
}

size_t mostly_small(Random& random) {
    return random.below(100) < 5 ? log_uniform(random, 4 * kib, 6) : small(random);
}

size_t whole_pages(Random& random) {
    return log_uniform(random, 2, 6) * SLAB_PAGE_SIZE;
}

size_t kernel_like(Random& random) {
    struct Share {
        size_t size;
        size_t percent;
    };
    static constexpr Share shares[] = {{8, 5},    {16, 10}, {32, 20}, {64, 20},  {96, 10},  {128, 10},
                                       {192, 10}, {256, 5}, {512, 4}, {1024, 3}, {2048, 2}, {4096, 1}};
    size_t percent = random.below(100);
    const Share* share = shares;
    for (; percent >= share->percent; share++) percent -= share->percent;
    return share->size;
}

constexpr Row rows[] = {
    {"W1", "64 bytes, one at a time", Shape::replace, 1, always_64},
    {"W2", "10000 of 64 bytes, in order", Shape::batch, 10000, always_64},
    {"W2r", "10000 of 64 bytes, shuffled", Shape::shuffle, 10000, always_64},
    {"W3", "8192 of 8 ... 4096 bytes", Shape::replace, 8192, small},
    {"W4", "1024, 5% of 4 ... 256 KiB", Shape::replace, 1024, mostly_small},
    {"W5", "64 of 8 ... 512 KiB, in pages", Shape::replace, 64, whole_pages},
    {"W6", "20000 of kernel-like sizes", Shape::replace, most_live, kernel_like},
};

struct Slot {
    void* block;
    size_t size;
};

enum class FreeForm { plain, sized };

constinit CountedHeap counted;

// A row with one form of free. While it exists, the blocks that it replaces are live.
class Walk {
public:
    Walk(const Row& row, FreeForm form, Slot* slots) : row_(row), form_(form), slots_(slots) {
        if (row_.shape == Shape::replace) allocate_all();
    }
    ~Walk() {
        if (row_.shape == Shape::replace) free_all();
    }

    void run() {
        bool replaces = row_.shape == Shape::replace;
        for (size_t done = 0; done < pairs; done += replaces ? 1 : row_.live) {
            replaces ? replace_one() : run_batch();
        }
    }

private:
    void allocate(Slot& slot) {
        slot.size = row_.size(random_);
        slot.block = counted.allocate(slot.size);
    }

    void free(const Slot& slot) {
        form_ == FreeForm::sized ? counted.free_sized(slot.block, slot.size) : counted.free(slot.block);
    }

    void allocate_all() {
        for (size_t i = 0; i < row_.live; i++) allocate(slots_[i]);
    }

    void free_all() {
        for (size_t i = 0; i < row_.live; i++) free(slots_[i]);
    }

    void replace_one() {
        Slot& slot = slots_[random_.below(row_.live)];
        free(slot);
        allocate(slot);
    }

    void run_batch() {
        allocate_all();
        if (row_.shape == Shape::shuffle) shuffle();
        free_all();
    }

    void shuffle() {
        for (size_t left = row_.live; left > 1; left--) {
            Slot& drawn = slots_[random_.below(left)];
            Slot last = slots_[left - 1];
            slots_[left - 1] = drawn;
            drawn = last;
        }
    }

    const Row& row_;
    FreeForm form_;
    Slot* slots_;
    Random random_;
};

void record_tally(const char* name, const Tally& tally) {
    record_object(name);
    record_number("instructions", tally.instructions);
    record_number("longest", tally.longest);
    record_object_end();
}

CountedHeap::Counts measure(const Row& row, FreeForm form, Slot* slots) {
    Walk walk(row, form, slots);
    walk.run();
    counted.start_count();
    walk.run();
    record_start("bench");
    record_text("workload", row.name);
    record_text("form", form == FreeForm::sized ? "free_sized" : "free");
    record_number("pairs", pairs);
    record_tally("allocations", counted.counts().allocations);
    record_tally("frees", counted.counts().frees);
    record_end();
    return counted.counts();
}

// The instructions of a pair, in the mean: a number with one digit behind the point.
struct Mean {
    char text[16];
    explicit Mean(const CountedHeap::Counts& counts) {
        size_t sum = counts.allocations.instructions + counts.frees.instructions;
        print_to(text, sizeof text, "%zu.%zu", sum / pairs, sum % pairs * 10 / pairs);
    }
};

size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

void show_row(const Row& row, Slot* slots) {
    CountedHeap::Counts plain = measure(row, FreeForm::plain, slots);
    CountedHeap::Counts sized = measure(row, FreeForm::sized, slots);
    print("  %-3s  %-30s %7s %7s %8zu %7zu %7zu\n", row.name, row.blocks, Mean(plain).text, Mean(sized).text,
          larger(plain.allocations.longest, sized.allocations.longest), plain.frees.longest,
          sized.frees.longest);
}

void show_rows(Slot* slots) {
    print("\ninstructions, over %zu pairs    a pair of calls    the longest call\n", pairs);
    print("                                         free   sized    alloc    free   sized\n");
    for (const Row& row : rows) show_row(row, slots);
    print("  a pair is an allocation and its free; sized is the free that checks the size;\n");
    print("  a call counts from its first instruction to its return\n\n");
}

}  // namespace

void run_bench() {
    heading("bench");
    if (!check_instruction_counter()) return;
    Check check("heap of the bench");
    slabheap::Heap& heap = counted.heap();
    void* region = slab_alloc_pages(region_bytes / SLAB_PAGE_SIZE, region_align);
    auto* slots = static_cast<Slot*>(slab_alloc(most_live * sizeof(Slot), alignof(Slot)));
    if (check.require(region != nullptr && slots != nullptr, "the kernel's has memory for it")) {
        slab_stats stats;
        check.require(heap.init(region, region_bytes) == SLAB_OK, "it takes its region");
        heap.set_fault_handler(panic_on_misuse);
        show_rows(slots);
        heap.stats(stats);
        check.require(stats.failures == 0, "it gave every block that was asked for");
        check.require(stats.used_bytes == 0, "it got every block back");
        check.require(heap.check() == SLAB_OK, "every invariant of it holds");
    }
    check.done("%s in one region, empty and sound again", size_text(region_bytes).text);
    slab_free(slots);
    slab_free(region);
}

}  // namespace demo
