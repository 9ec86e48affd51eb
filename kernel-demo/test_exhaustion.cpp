// SPDX-License-Identifier: MIT
//
// Self-test: takes every byte there is, in blocks of mixed sizes, and gives all of it back. The blocks are
// chained through themselves; large ones have the pattern at both ends only, so that gigabytes are a matter
// of seconds.
#include "pattern.hpp"
#include "print.h"
#include "report.hpp"
#include "self_test.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

struct Chained {
    Chained* next;
    size_t size;
};

constexpr size_t kib = 1024;
constexpr size_t sizes[] = {64,   4096,    1024, 20 * kib, 256,       4096 * kib, 128,
                            2048, 8 * kib, 512,  64 * kib, 256 * kib, 1024 * kib};
constexpr size_t kinds = sizeof sizes / sizeof sizes[0];
constexpr size_t end_bytes = 256;

void* content(Chained* block) {
    return block + 1;
}

void* last_bytes(Chained* block) {
    return reinterpret_cast<char*>(block) + block->size - end_bytes;
}

void write(Chained* block) {
    if (block->size <= 2 * end_bytes) return fill(content(block), block->size - sizeof *block);
    fill(content(block), end_bytes);
    fill(last_bytes(block), end_bytes);
}

bool is_intact(Chained* block) {
    if (block->size <= 2 * end_bytes) return intact(content(block), block->size - sizeof *block);
    return intact(content(block), end_bytes) && intact(last_bytes(block), end_bytes);
}

struct Hoard {
    Chained* first = nullptr;
    size_t count = 0;
    size_t bytes = 0;

    bool take(size_t size) {
        auto* block = static_cast<Chained*>(slab_alloc(size, 16));
        if (block == nullptr) return false;
        *block = {first, size};
        write(block);
        first = block;
        count++;
        bytes += slab_usable_size(block);  // the last slots of a larger class serve smaller requests
        return true;
    }

    // One of every size in turn; a size that cannot be had any more drops out.
    void take_everything() {
        bool can_be_had[kinds];
        for (bool& kind : can_be_had) kind = true;
        for (bool any = true; any;) {
            any = false;
            for (size_t i = 0; i < kinds; i++) {
                can_be_had[i] = can_be_had[i] && take(sizes[i]);
                any = any || can_be_had[i];
            }
        }
    }

    // Every second block of the chain, so that neighbours are freed at different times.
    void give_back_half(Check& check) {
        for (Chained* kept = first; kept != nullptr && kept->next != nullptr; kept = kept->next) {
            Chained* freed = kept->next;
            kept->next = freed->next;
            check.require(is_intact(freed), "keeps what was written", freed);
            slab_free(freed);
        }
    }

    void give_back_all(Check& check) {
        give_back_half(check);
        while (first != nullptr) {
            Chained* freed = first;
            first = freed->next;
            check.require(is_intact(freed), "keeps what was written", freed);
            slab_free(freed);
        }
    }
};

}  // namespace

void test_exhaustion() {
    Check taken("exhaustion");
    Hoard hoard;
    slab_stats before;
    slab_stats full;
    slab_stats after;
    slab_heap_stats(&before);
    hoard.take_everything();
    slab_heap_stats(&full);
    taken.require(hoard.bytes == before.available_bytes, "the blocks are all that was available");
    taken.require(full.available_bytes == 0, "not a byte is left");
    taken.require(slab_alloc(1, 1) == nullptr, "nothing is to be had");
    taken.require(slab_heap_check() == SLAB_OK, "the full heap passes the audit");
    taken.done("%zu blocks of %zu sizes: all of %s", hoard.count, kinds, size_text(hoard.bytes).text);

    Check recovered("recovery");
    size_t count = hoard.count;
    hoard.give_back_all(recovered);
    slab_heap_stats(&after);
    recovered.require(after.available_bytes == before.available_bytes, "all is available again");
    recovered.require(slab_heap_check() == SLAB_OK, "the empty heap passes the audit");
    void* largest = slab_alloc(before.largest_free_bytes, SLAB_PAGE_SIZE);
    recovered.require(largest != nullptr, "the largest block is whole again");
    slab_free(largest);
    recovered.done("%zu intact and freed, %s in one piece", count, size_text(before.largest_free_bytes).text);
}

namespace {

void* spare;
unsigned hook_calls;

int give_up_spare(size_t, size_t) {
    bool has_spare = spare != nullptr;
    slab_free(spare);
    spare = nullptr;
    hook_calls++;
    return has_spare;
}

}  // namespace

void test_out_of_memory_hook() {
    Check check("out-of-memory hook");
    Hoard hoard;
    slab_stats stats;
    slab_heap_stats(&stats);
    size_t available = stats.available_bytes;
    spare = slab_alloc(64 * kib, 16);
    hoard.take_everything();
    slab_oom_hook previous = slab_heap_set_oom_hook(give_up_spare);
    check.require(hoard.take(64 * kib), "the hook gives memory up, and the request succeeds");
    check.require(!hoard.take(64 * kib), "the hook has nothing more, and the request fails");
    check.require(hook_calls == 2, "the hook is asked once each time");
    slab_heap_set_oom_hook(previous);
    hoard.give_back_all(check);
    slab_heap_stats(&stats);
    check.require(stats.available_bytes == available, "all is available again");
    check.done("asked once, gave up 64 KiB, request granted");
}

}  // namespace demo
