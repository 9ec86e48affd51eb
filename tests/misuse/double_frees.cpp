// SPDX-License-Identifier: MIT
//
// What is free is freed once more: at once, after others, by somebody else, at the same time, and when it is
// another's already.
#include "cases.hpp"

namespace slabheap::misuse {

namespace {

template <size_t size>
void again(Trial& trial) {
    void* const block = allocate(size);
    slab_free(block);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, block);
    trial.misuse([=] { slab_free(block); });
    trial.harm(hands_out_twice(size));
}

template <size_t size>
void with_its_size(Trial& trial) {
    void* const block = allocate(size);
    slab_free(block);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, block);
    trial.misuse([=] { slab_free_sized(block, size, 16); });
    trial.harm(hands_out_twice(size));
}

// The way round a heap that compares with the last block of a list.
template <size_t size>
void after_another(Trial& trial) {
    void* const block = allocate(size);
    void* const other = allocate(size);
    slab_free(block);
    slab_free(other);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, block);
    trial.misuse([=] { slab_free(block); });
    trial.harm(hands_out_twice(size));
}

// It has left the cache of what was freed last.
template <size_t size>
void after_many(Trial& trial) {
    constexpr size_t count = 200;
    void* blocks[count];
    for (void*& block : blocks) block = allocate(size);
    for (void* block : blocks) slab_free(block);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, blocks[0]);
    trial.misuse([&] { slab_free(blocks[0]); });
    trial.harm(hands_out_twice(size));
}

// The second free is one of what is another's by now, who then frees it for the second time.
template <size_t size>
void after_reuse(Trial& trial) {
    void* const block = allocate(size);
    slab_free(block);
    void* const owners = allocate(size);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, block);
    trial.misuse([=] { slab_free(block); });
    trial.harm(!slab_owns(owners));
    trial.expect(SLAB_FAULT_DOUBLE_FREE, owners);
    trial.at_the_owners_free([=] { slab_free(owners); });
    trial.harm(hands_out_twice(size));
}

void by_realloc(Trial& trial) {
    void* const block = allocate(small);
    slab_free(block);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, block);
    void* moved = nullptr;
    trial.misuse([&] { moved = slab_realloc(block, 4 * small, 16); });
    trial.harm(moved != nullptr || hands_out_twice(small));
    free_if_live(moved);
}

// In some C libraries this frees.
void realloc_to_zero(Trial& trial) {
    void* const block = allocate(small);
    void* const shrunk = slab_realloc(block, 0, 16);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, block);
    trial.misuse([=] { slab_free(block); });
    trial.harm(shrunk != block || hands_out_twice(small));
}

void* shared;

void free_on_first(unsigned cpu) {
    if (cpu == 0) slab_free(shared);
}
void free_on_second(unsigned cpu) {
    if (cpu == 1) slab_free(shared);
}
void free_on_both(unsigned) { slab_free(shared); }

template <size_t size>
void on_another_cpu(Trial& trial) {
    shared = allocate(size);
    trial.place.on_two_cpus(free_on_first);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, shared);
    trial.misuse([&] { trial.place.on_two_cpus(free_on_second); });
    trial.harm(hands_out_twice(size));
}

// Each block is freed by two at the same moment, one of whom has to be told.
template <size_t size>
void at_the_same_time(Trial& trial) {
    constexpr unsigned rounds = 100;
    for (unsigned i = 0; i < rounds; ++i) {
        shared = allocate(size);
        trial.expect(SLAB_FAULT_DOUBLE_FREE, shared);
        trial.misuse([&] { trial.place.on_two_cpus(free_on_both); });
    }
    trial.harm(trial.reports() != rounds || hands_out_twice(size));
}

}  // namespace

const Case double_frees[] = {
    {"double-free", again<small>},
    {"double-free-large", again<large>},
    {"double-free-with-size", with_its_size<small>},
    {"double-free-with-size-large", with_its_size<large>},
    {"double-free-after-another", after_another<small>},
    {"double-free-after-another-large", after_another<large>},
    {"double-free-after-many", after_many<small>},
    {"double-free-after-many-large", after_many<large>},
    {"double-free-after-reuse", after_reuse<small>},
    {"double-free-after-reuse-large", after_reuse<large>},
    {"double-free-by-realloc", by_realloc},
    {"double-free-after-realloc-to-zero", realloc_to_zero},
    {"double-free-on-another-cpu", on_another_cpu<small>},
    {"double-free-on-another-cpu-large", on_another_cpu<large>},
    {"double-free-at-the-same-time", at_the_same_time<small>},
    {"double-free-at-the-same-time-large", at_the_same_time<large>},
    {nullptr, nullptr},
};

}  // namespace slabheap::misuse
