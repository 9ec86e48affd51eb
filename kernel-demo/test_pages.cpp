// SPDX-License-Identifier: MIT
//
// Self-test: what is larger than the size classes, and takes whole pages.
#include "../tests/support/built_defences.hpp"
#include "pattern.hpp"
#include "print.h"
#include "report.hpp"
#include "self_test.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

constexpr size_t kib = 1024;

size_t used_bytes() {
    slab_stats stats;
    slab_heap_stats(&stats);
    return stats.used_bytes;
}

size_t total_bytes() {
    slab_stats stats;
    slab_heap_stats(&stats);
    return stats.total_bytes;
}

void test_large_block(const char* name, size_t size, size_t align, size_t takes) {
    Check check(name);
    size_t usable = slabheap::test::usable(size, takes);
    size_t before = used_bytes();
    void* block = slab_alloc(size, align);
    if (check.require(block != nullptr, "memory is left, so a block is given")) {
        check.require(aligned(block, align), "aligned as asked", block);
        check.require(used_bytes() - before == takes, "takes the pages that it needs and no more", block);
        check.require(slab_usable_size(block) == usable, "all of which may be used", block);
        fill(block, usable);
        check.require(intact(block, usable), "keeps what was written", block);
    }
    slab_free(block);
    check.require(used_bytes() == before, "goes back whole", block);
    check.done("takes %s at %p, intact", size_text(takes).text, block);
}

}  // namespace

void test_large_blocks() {
    test_large_block("20 KiB", 20 * kib, 16, 20 * kib);
    test_large_block("5000 bytes", 5000, 16, 8 * kib);
    test_large_block("1 MiB", 1024 * kib, 16, 1024 * kib);
    test_large_block("100 bytes at 64 KiB", 100, 64 * kib, 4 * kib);
    test_large_block("300 KiB at 1 MiB", 300 * kib, 1024 * kib, 300 * kib);
}

void test_page_runs() {
    Check check("page runs");
    static constexpr size_t counts[] = {1, 3, 7, 16, 33};
    void* runs[sizeof counts / sizeof counts[0]];
    size_t before = used_bytes();
    size_t pages = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        runs[i] = slab_alloc_pages(counts[i], 16 * kib);
        pages += counts[i];
        if (!check.require(runs[i] != nullptr, "memory is left, so a run is given")) continue;
        check.require(aligned(runs[i], 16 * kib), "aligned as asked", runs[i]);
        fill(runs[i], counts[i] * SLAB_PAGE_SIZE);
    }
    check.require(used_bytes() - before == pages * SLAB_PAGE_SIZE, "no page more than asked for");
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        check.require(runs[i] == nullptr || intact(runs[i], counts[i] * SLAB_PAGE_SIZE), "intact", runs[i]);
        slab_free_pages(runs[i], counts[i]);
    }
    check.require(used_bytes() == before, "all go back");
    check.done("1 to 33 pages, aligned to 16 KiB, intact");
}

void test_reserve() {
    Check check("reserve and release");
    constexpr size_t size = 4 * SLAB_PAGE_SIZE;
    size_t total = total_bytes();
    void* window = slab_alloc_pages(4, SLAB_PAGE_SIZE);
    check.require(slab_heap_reserve(window, size) == SLAB_ERR_IN_USE, "pages in use are refused", window);
    slab_free_pages(window, 4);
    check.require(slab_heap_reserve(window, size) == SLAB_OK, "free pages can be taken out", window);
    check.require(total_bytes() == total - size, "the total shrinks by them", window);
    void* other = slab_alloc_pages(4, SLAB_PAGE_SIZE);
    check.require(other != nullptr && other != window, "nobody else gets them", other);
    slab_free(other);
    check.require(slab_heap_release(window, size) == SLAB_OK, "and they can be given back", window);
    check.require(total_bytes() == total, "all of them", window);
    check.done("4 pages at %p, out and back again", window);
}

}  // namespace demo
