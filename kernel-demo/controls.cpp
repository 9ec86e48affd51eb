// SPDX-License-Identifier: MIT
//
// Every key answers with the call that it made, so that the screen, the log and the record can say so.
#include "controls.hpp"

#include "fault_report.hpp"
#include "print.h"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

constexpr size_t kib = 1024;
constexpr size_t sizes[] = {100, 4096, 20 * kib, 1024 * kib, 4096 * kib};
constexpr unsigned size_count = sizeof sizes / sizeof sizes[0];

// The ways to break a contract with a block of 128 bytes.
void free_twice(char* block) {
    slab_free(block);
    slab_free(block);
}
void free_inside(char* block) {
    slab_free(block + 32);
}
void free_misaligned(char* block) {
    slab_free(block + 1);
}
void free_wrong_size(char* block) {
    slab_free_sized(block, 5000, 8);
}
void free_foreign(char*) {
    static char foreign[64];
    slab_free(foreign);
}
constexpr void (*misuses[])(char*) = {free_twice, free_inside, free_misaligned, free_wrong_size,
                                      free_foreign};
constexpr unsigned misuse_count = sizeof misuses / sizeof misuses[0];

}  // namespace

const Command commands[7] = {
    {'a', "allocate", &Controls::allocate}, {'f', "free", &Controls::free},
    {'e', "exhaust", &Controls::exhaust},   {'m', "misuse", &Controls::misuse},
    {'u', "audit", &Controls::audit},       {'p', "pause", &Controls::pause},
    {'q', "quit", &Controls::quit},
};

bool Controls::obey(char key) {
    for (const Command& command : commands) {
        if (command.key != key) continue;
        (this->*command.run)();
        return true;
    }
    return false;
}

void Controls::say(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_to_v(answer_, sizeof answer_, format, arguments);
    va_end(arguments);
}

void Controls::allocate() {
    size_t size = sizes[allocations_++ % size_count];
    auto* block = static_cast<Block*>(slab_alloc(size, 16));
    if (block == nullptr) return say("slab_alloc(%zu, 16) = NULL: there is no memory", size);
    *block = {blocks_};
    blocks_ = block;
    say("slab_alloc(%zu, 16) = %p: %zu bytes", size, static_cast<void*>(block), slab_usable_size(block));
}

void Controls::free() {
    Block* freed = blocks_;
    if (freed == nullptr) return say("there is nothing to free: allocate first");
    blocks_ = freed->next;
    slab_free(freed);
    say("slab_free(%p): the block allocated last", static_cast<void*>(freed));
}

void Controls::exhaust() {
    size_t blocks = hoard_.count();
    if (blocks != 0) {
        const void* broken = hoard_.give_back_all();
        if (broken != nullptr) return say("the block at %p has not kept what was written", broken);
        return say("%zu blocks given back, every one intact", blocks);
    }
    hoard_.take_everything();
    say("%zu blocks took all that was left, %zu bytes; once more gives them back", hoard_.count(),
        hoard_.bytes());
}

void Controls::misuse() {
    auto* block = static_cast<char*>(slab_alloc(100, 8));
    if (block == nullptr) return say("there is no memory for a block to misuse");
    provoke([=, this] { misuses[misuses_ % misuse_count](block); });
    misuses_++;
    say("%s", fault_report.sentence);
    if (slab_owns(block)) slab_free(block);
}

void Controls::audit() {
    slab_audit found;
    bool holds = slab_heap_audit(&found) == SLAB_OK;
    if (holds) return say("slab_heap_audit: every invariant of the heap holds");
    say("slab_heap_audit: this does not hold: %s (%p)", found.invariant, found.address);
}

void Controls::pause() {
    is_paused_ = !is_paused_;
    say("%s", is_paused_ ? "the workload pauses; once more lets it go on" : "the workload goes on");
}

void Controls::quit() {
    while (blocks_ != nullptr) free();
    hoard_.give_back_all();
    has_quit_ = true;
    say("everything is given back");
}

}  // namespace demo
