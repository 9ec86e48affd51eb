// SPDX-License-Identifier: MIT
//
// How long SharedHeap holds its lock at a time, in instructions: for so long interrupts are off, and other
// CPUs wait. The lock is one that counts from its acquisition to its release. Four CPUs and one without
// fronts, played by this thread, drive the heap to where each step of a call that takes the lock is as long
// as it gets.
//
// Twice, as meter.hpp says: linked with a library that counts its basic blocks this program tells which holds
// may be the longest (`suspects`), linked with the ordinary one it steps through those (`step`).
#include <slabheap/shared_heap.hpp>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "harness/memory.hpp"
#include "harness/meter.hpp"
#include "harness/process.hpp"
#include "harness/workload.hpp"

namespace slabheap::bench {

namespace {

constexpr size_t cpus = 4;  // that have fronts

struct PlayedCpu {
    static inline size_t number = 0;
    static inline bool in_nmi = false;  // and the lock is held by what it has interrupted

    static size_t index(size_t) { return number; }
    static bool may_wait() { return !in_nmi; }
    static bool is_alone(size_t) { return false; }
    static void stop_preemption() {}
    static void resume_preemption() {}
    static void pause() {}
};

// What the holds are of one sequence: their blocks, or which are to be stepped through.
class Watch {
public:
    static constexpr size_t capacity = 2'000'000;

    Watch() : blocks_(capacity), is_suspect_(capacity) {}

    void forget() {
        std::fill(blocks_.begin(), blocks_.end(), 0);
        longest_[0] = 0;
    }
    // The heap is there, and the first call comes.
    void start_counting() { number_ = longest_[0] = 0; }
    void begin() {
        before_ = executed_blocks;
        if (steps_ && is_suspect_[number_]) start_stepping();
    }
    void end() {
        if (steps_ && is_suspect_[number_]) {
            uint64_t const instructions = stop_stepping();
            if (instructions > longest_[0]) longest_[0] = instructions;
        }
        blocks_[number_] = executed_blocks - before_;
        if (++number_ == capacity) std::abort();
    }

    // The holds of the most blocks; of as many blocks, a few.
    void print_suspects() const {
        constexpr unsigned counts = 24, of_each = 3;
        uint64_t limit = ~uint64_t{0};
        Array<size_t> found;
        for (unsigned i = 0; i < counts && limit > 1; ++i) {
            uint64_t highest = 0;
            for (uint64_t const blocks : blocks_) {
                if (blocks < limit && blocks > highest) highest = blocks;
            }
            unsigned left = of_each;
            for (size_t number = 0; number < capacity && left != 0; ++number) {
                if (blocks_[number] != highest || highest == 0) continue;
                found.push_back(number);
                --left;
            }
            limit = highest;
        }
        std::printf("%zu", found.size());
        for (size_t const number : found) std::printf(" %zu", number);
        std::printf("\n");
    }
    void read_suspects() {
        size_t count, number;
        if (std::scanf("%zu", &count) != 1) std::exit(1);
        std::fill(is_suspect_.begin(), is_suspect_.end(), false);
        for (; count != 0; --count) {
            if (std::scanf("%zu", &number) != 1 || number >= capacity) std::exit(1);
            is_suspect_[number] = true;
        }
        steps_ = true;
    }
    uint64_t longest() const { return longest_[0]; }

private:
    // What a forked process finds is seen by the one that asked it.
    SharedArray<uint64_t> blocks_;
    Array<char> is_suspect_;
    SharedArray<uint64_t> longest_ = SharedArray<uint64_t>(1);
    bool steps_ = false;
    size_t number_ = 0;
    uint64_t before_ = 0;
};

Watch& watch() {
    static Watch only;
    return only;
}

struct WatchedLock {
    void lock() { watch().begin(); }
    bool try_lock(bool) {
        if (PlayedCpu::in_nmi) return false;
        lock();
        return true;
    }
    void unlock() { watch().end(); }
};

class Play {
public:
    explicit Play(size_t heap_bytes) : arena_(heap_bytes), fronts_(cpu_memory(cpus)) {
        arena_.fill_with_noise(std::max(heap_bytes / 64, 64 * MiB));
        heap_.set_barrier_hook([] { return 1; });
        if (heap_.init(arena_.start(), heap_bytes) != SLAB_OK) std::exit(1);
        if (heap_.set_cpus(cpus, fronts_.data(), fronts_.size()) != SLAB_OK) std::exit(1);
    }

    // Everybody does anything.
    void tides() {
        constexpr size_t steps = 60'000;
        Random random(7);
        size_t const pages = arena_.size() / page_size;
        Array<void*> blocks(4000);
        for (size_t step = 0; step < steps; ++step) {
            PlayedCpu::number = random.below(cpus + 1);
            PlayedCpu::in_nmi = random.below(20) == 0;
            void*& block = blocks[random.below(static_cast<uint32_t>(step / 4000 % 2 != 0 ? 400 : 4000))];
            heap_.deallocate(block, site);
            uint32_t const kind = random.below(100);
            if (kind < 40) {
                block = nullptr;
            } else if (kind < 90) {
                block = heap_.allocate({kernel_like_size(random), 16});
            } else {
                uint32_t const most = static_cast<uint32_t>(std::min<size_t>(pages / 16, 1 << 20));
                block = heap_.allocate_pages(log_uniform(random, 1, most));
            }
        }
        PlayedCpu::in_nmi = false;
    }

    // Slabs that are full but for a slot, and slabs that empty: what a CPU without fronts frees is pending, and
    // many pages are settled at once, or taken from.
    void pending() {
        for (size_t size = 64; size <= page_size; size *= 2) {
            for (size_t const stride : {size_t{1}, page_size / size}) {
                Array<void*> blocks;
                size_t const count = std::min<size_t>(arena_.size() / 4, 4 * MiB) / size;
                PlayedCpu::number = 0;
                for (size_t i = 0; i < count; ++i) blocks.push_back(heap_.allocate({size, 16}));
                PlayedCpu::number = cpus;
                for (size_t i = 0; i < count; i += stride) {
                    heap_.deallocate(blocks[i], site);
                    blocks[i] = nullptr;
                }
                PlayedCpu::number = 1;
                for (size_t i = 0; i < count; i += stride) blocks[i] = heap_.allocate({size, 16});
                PlayedCpu::number = cpus;
                for (void* const block : blocks) heap_.deallocate(block, site);
            }
        }
    }

    // Nothing is left, then some of what is free has to be gathered from all CPUs, and does not suffice.
    void exhaustion() {
        for (size_t size = 64; size <= 4 * page_size; size *= 2) {
            Array<void*> blocks;
            PlayedCpu::number = 0;
            while (void* const block = heap_.allocate({size, 16})) blocks.push_back(block);
            for (size_t i = 0; i < blocks.size(); i += 2) {
                PlayedCpu::number = i / 2 % (cpus + 1);
                heap_.deallocate(blocks[i], site);
            }
            PlayedCpu::number = 0;
            heap_.deallocate(heap_.allocate({5 * page_size, 16}), site);
            void* const small = heap_.allocate({40, 16});
            void* const grown = heap_.reallocate(small, {3 * page_size, 16}, site);
            heap_.deallocate(grown != nullptr ? grown : small, site);
            for (size_t i = 1; i < blocks.size(); i += 2) {
                PlayedCpu::number = i / 2 % (cpus + 1);
                heap_.deallocate(blocks[i], site);
            }
            PlayedCpu::number = 0;
            size_t const all = heap_stats().total_bytes / page_size;
            void* const everything = heap_.allocate_pages(all);
            if (everything == nullptr) std::abort();
            heap_.deallocate(everything, site);
        }
    }

    // What looks at many blocks.
    void looking() {
        Array<void*> blocks;
        for (size_t i = 0; i < arena_.size() / 2 / 100; ++i) blocks.push_back(heap_.allocate({100, 16}));
        PlayedCpu::number = cpus;
        for (size_t i = 0; i + 1 < blocks.size(); ++i) heap_.deallocate(blocks[i], site);
        heap_.walk([](void*, size_t, void*) {}, nullptr);
        heap_stats();
        std::byte* const middle = arena_.start() + arena_.size() / 4 * 3;
        for (size_t size = page_size; size < arena_.size() / 8; size *= 4) {
            if (heap_.reserve(middle, size) == SLAB_OK) heap_.release(middle, size);
        }
    }

private:
    static constexpr CallSite site{"bench", nullptr};

    slab_stats heap_stats() {
        slab_stats stats;
        heap_.stats(stats);
        return stats;
    }

    Arena arena_;
    Array<std::byte> fronts_;
    SharedHeap<PlayedCpu, WatchedLock> heap_;
};

struct Sequence {
    char const* name;
    void (Play::*run)();
    bool fills;  // the whole heap
};
constexpr Sequence sequences[] = {{"tides", &Play::tides, false},
                                  {"pending pages", &Play::pending, false},
                                  {"exhaustion", &Play::exhaustion, true},
                                  {"walk, figures, ranges", &Play::looking, true}};

int run(bool steps, size_t heap_bytes) {
    for (Sequence const& sequence : sequences) {
        if (sequence.fills && heap_bytes > 64 * MiB) continue;
        watch().forget();
        if (steps) watch().read_suspects();
        in_child([&] {
            Play play(heap_bytes);
            watch().start_counting();
            (play.*sequence.run)();
        });
        if (steps) {
            std::printf("hold\t%zu\t%zu\t%s\n", heap_bytes, size_t{watch().longest()}, sequence.name);
        } else {
            watch().print_suspects();
        }
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace

}  // namespace slabheap::bench

int main(int argc, char** argv) {
    std::string_view const command = argc == 3 ? argv[1] : "";
    size_t heap_bytes = 0;
    if (argc == 3) std::from_chars(argv[2], argv[2] + std::string_view(argv[2]).size(), heap_bytes);
    if ((command != "suspects" && command != "step") || heap_bytes == 0) {
        std::fputs("Usage: bench-lock-holds suspects|step HEAP_BYTES\n", stderr);
        return 2;
    }
    slabheap::bench::watch();
    return slabheap::bench::run(command == "step", heap_bytes);
}
