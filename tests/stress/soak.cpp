// SPDX-License-Identifier: MIT
//
// A soak: so many operations of all kinds by several threads, on the C ABI of a native archive. Each lane is
// a sequence of threads, one after the other, that share an array of blocks; lanes fill the heap until it
// runs out of memory, empty it again, and pass blocks to each other. A block says at its start what the rest
// is full of, and that is checked whenever somebody takes it up. Meanwhile the heap is audited, walked, given
// regions, and parts of it are reserved. In the end all memory is free, in one piece for each region, and the
// heap's books are those that were kept here.
#include "random.hpp"
#include "regions.hpp"
#include "stamped_block.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace slabheap::stress {
namespace {

using test::Random;

void on_fault(const slab_fault* fault) {
    char sentence[384];
    slab_fault_describe(fault, sentence, sizeof sentence);
    fail(sentence);
}

// What one lane has done, for who shows progress meanwhile.
struct alignas(64) Books {
    std::atomic<size_t> operations, allocations, frees, failures;

    static void count(std::atomic<size_t>& figure) {
        figure.store(figure.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
};

// Places that all lanes leave blocks in, and take what lies there.
std::array<std::atomic<void*>, 1024> places;

// --- a lane
// -------------------------------------------------------------------------------------------------

class Lane {
public:
    Lane(unsigned number, uint64_t seed, size_t operations, Regions& regions)
        : number_(number), goal_(operations), regions_(regions), random_(seed * 4096 + number) {}

    Books books{};

    // Threads succeed each other, with fronts of their own.
    void run() {
        while (done() < goal_) {
            std::thread([this] {
                for (size_t end = std::min(goal_, done() + operations_of_a_thread); done() < end;) step();
            }).join();
        }
        for (void*& block : blocks_) free(block);
    }

    void free(void*& block) {
        if (block == nullptr) return;
        const Stamp stamp = checked(block);
        const Stamp gone{stamp.size, ~stamp.pattern};
        std::memcpy(block, &gone, sizeof gone);
        if (stamp.size > page_size && stamp.size % page_size == 0) {
            slab_free_pages(block, stamp.size / page_size);
        } else if (stamp.pattern % 2 == 0) {
            slab_free(block);
        } else {
            slab_free_sized(block, stamp.size, 8);
        }
        block = nullptr;
        Books::count(books.operations);
        Books::count(books.frees);
    }

private:
    static constexpr size_t operations_of_a_thread = 3'000'000;

    size_t done() const { return books.operations.load(std::memory_order_relaxed); }

    size_t any_size() {
        const size_t kind = random_.below(64);
        if (kind == 0) return pages(1 + random_.below(24)) + random_.below(page_size);
        if (kind < 8) return sizeof(Stamp) + random_.below(4 * 1024);
        return sizeof(Stamp) + random_.below(size_t{16} << random_.below(6));
    }

    // Small requests by one way, large ones by another, so that all are used.
    void* request(size_t& size) {
        switch (random_.below(8)) {
            case 0: {
                void* const block = slab_calloc(1, size);
                expect(block == nullptr || is_zero(block, size), "slab_calloc gives zeros");
                return block;
            }
            case 1: return slab_try_alloc(size, 8);
            case 2:
                if (size <= page_size) break;
                size = (size + page_size - 1) / page_size * page_size;
                return slab_alloc_pages(size / page_size, page_size);
        }
        return slab_alloc(size, 8);
    }

    // Returns whether there was memory.
    bool took(void* block, size_t size) {
        Books::count(books.operations);
        Books::count(block == nullptr ? books.failures : books.allocations);
        if (block == nullptr) return false;
        write(block, {size, number_ + 64 * ++serial_});
        return true;
    }

    void allocate(void*& block) {
        size_t size = any_size();
        block = request(size);
        if (took(block, size)) return;
        filling_ = false;
    }

    void resize(void*& block) {
        const Stamp before = checked(block);
        const size_t size = any_size();
        void* const resized = slab_realloc(block, size, 8);
        Books::count(books.operations);
        if (resized == nullptr) {
            Books::count(books.failures);
            checked(block);
            return;
        }
        Stamp after;
        std::memcpy(&after, resized, sizeof after);
        expect(after.size == before.size && after.pattern == before.pattern &&
                   is_intact(resized, before, std::min(size, before.size)),
               "slab_realloc keeps the content");
        if (resized != block) {
            Books::count(books.allocations);
            Books::count(books.frees);
        }
        block = resized;
        write(block, {size, number_ + 64 * ++serial_});
    }

    void step() {
        if (random_.below(50'000) == 0) filling_ = !filling_;
        const size_t kind = random_.below(100);
        void*& block = blocks_[random_.below(blocks_.size())];
        if (kind < 25) {
            block = places[random_.below(places.size())].exchange(block);
        } else if (block == nullptr) {
            if (filling_ || kind < 50) allocate(block);
        } else if (!filling_ || kind < 75) {
            free(block);
        } else if (kind < 85) {
            resize(block);
        } else if (kind == 85) {
            expect(slab_owns(block) == 1 && slab_usable_size(block) >= checked(block).size,
                   "a block is the heap's, and as large as it was asked for");
            Books::count(books.operations);
        }
        if (random_.below(1'000'000) == 0) look();
        if (number_ == 0) change_regions();
    }

    // While all others go on.
    void look() {
        slab_audit found{};
        if (slab_heap_audit(&found) != SLAB_OK) fail(found.invariant);
        size_t count = 0;
        slab_heap_walk([](void*, size_t, void* sum) { ++*static_cast<size_t*>(sum); }, &count);
        Books::count(books.operations);
        Books::count(books.operations);
    }

    void change_regions() {
        if (done() >= goal_ / 8 * regions_.usable().size()) regions_.add();
        if (random_.below(200'000) != 0) return;
        const Regions::Range& region = regions_.usable()[random_.below(regions_.usable().size())];
        if (reserved_.size == 0) {
            const size_t size = pages(1 + random_.below(4));
            char* const start = region.start + pages(random_.below((region.size - size) / page_size));
            const int status = slab_heap_reserve(start, size);
            expect(status == SLAB_OK || status == SLAB_ERR_IN_USE, "a range is reserved, or in use");
            if (status == SLAB_OK) reserved_ = {start, size};
        } else {
            release();
        }
        Books::count(books.operations);
    }

public:
    void release() {
        if (reserved_.size == 0) return;
        std::memset(reserved_.start, 0x5a, reserved_.size);  // nobody else's
        expect(slab_heap_release(reserved_.start, reserved_.size) == SLAB_OK, "what is reserved is released");
        reserved_ = {};
    }

private:
    const unsigned number_;
    const size_t goal_;
    Regions& regions_;
    Random random_;
    std::array<void*, 4096> blocks_{};
    uint64_t serial_ = 0;
    bool filling_ = true;
    Regions::Range reserved_{};
};

// --- all of it
// ----------------------------------------------------------------------------------------------

struct Sum {
    size_t operations = 0, allocations = 0, frees = 0, failures = 0;
};

Sum sum_of(const std::vector<std::unique_ptr<Lane>>& lanes) {
    Sum sum;
    for (const auto& lane : lanes) {
        sum.operations += lane->books.operations;
        sum.allocations += lane->books.allocations;
        sum.frees += lane->books.frees;
        sum.failures += lane->books.failures;
    }
    return sum;
}

void show_progress(const std::vector<std::unique_ptr<Lane>>& lanes, const std::atomic<bool>& ended) {
    for (unsigned tenths = 1; !ended; ++tenths) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        if (tenths % 100 != 0) continue;
        const Sum sum = sum_of(lanes);
        std::printf("%u s: %zu operations, %zu found no memory\n", tenths / 10, sum.operations, sum.failures);
        std::fflush(stdout);
    }
}

void expect_all_back(const Sum& sum, const Regions& regions) {
    slab_audit found{};
    if (slab_heap_audit(&found) != SLAB_OK) fail(found.invariant);
    const slab_stats stats = Regions::stats();
    expect(stats.used_bytes == 0, "all memory is free again");
    for (const slab_class_stats& row : stats.classes) expect(row.live == 0, "no class has a live block");
    expect(stats.allocations == sum.allocations && stats.frees == sum.frees, "the books balance");
    expect(stats.failures == sum.failures && stats.faults == 0,
           "failures are counted, and there was no fault");
    std::vector<void*> runs;
    size_t bytes = 0;
    for (const Regions::Range& region : regions.largest_first()) {
        runs.push_back(slab_alloc_pages(region.size / page_size, page_size));
        expect(runs.back() != nullptr, "each region is one piece again");
        bytes += region.size;
    }
    expect(bytes == stats.total_bytes && slab_alloc(1, 1) == nullptr, "that was all memory");
    for (void* const run : runs) slab_free(run);
    expect(slab_heap_check() == SLAB_OK, "the audit passes");
}

// The value of an option; what is none, or out of bounds, ends the program.
size_t number(const char* text, size_t least, size_t most) {
    char* end = nullptr;
    const unsigned long long value = std::strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && value >= least && value <= most) return value;
    std::fprintf(stderr, "soak: '%s' is not a number from %zu to %zu\n", text, least, most);
    std::exit(2);
}

}  // namespace
}  // namespace slabheap::stress

// soak OPERATIONS THREADS SEED; tests/soak has the options.
int main(int count, char** arguments) {
    using namespace slabheap::stress;
    if (count != 4) return 2;
    const size_t operations = number(arguments[1], 1, SIZE_MAX / 2);
    const auto threads = static_cast<unsigned>(number(arguments[2], 1, 64));
    const size_t seed = number(arguments[3], 0, UINT32_MAX);

    const auto start = std::chrono::steady_clock::now();
    slab_heap_set_fault_handler(on_fault);
    Regions regions;
    std::vector<std::unique_ptr<Lane>> lanes;
    for (unsigned i = 0; i < threads; ++i) {
        lanes.push_back(std::make_unique<Lane>(i, seed, operations / threads + 1, regions));
    }
    std::atomic<bool> ended = false;
    std::thread progress([&] { show_progress(lanes, ended); });
    std::vector<std::thread> running;
    for (const auto& lane : lanes) running.emplace_back([&lane] { lane->run(); });
    for (std::thread& thread : running) thread.join();
    ended = true;
    progress.join();

    for (std::atomic<void*>& place : places) {
        void* block = place.exchange(nullptr);
        lanes[0]->free(block);
    }
    lanes[0]->release();
    const Sum sum = sum_of(lanes);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    expect_all_back(sum, regions);
    std::printf("ok soak: %zu operations by %u threads in %.0f s; %zu found no memory\n", sum.operations,
                threads, seconds.count(), sum.failures);
    return 0;
}
