// SPDX-License-Identifier: MIT
//
// Sizes and shares of the objects are those that kernels are known for; the bursts are what makes whole
// slabs of them.
#include "workload.hpp"

#include "print.h"
#include "show.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

// The marks, in percent of the heap.
constexpr size_t high_mark = 72;
constexpr size_t low_mark = 40;

}  // namespace

struct Workload::Kind {
    const char* name;
    size_t size;
    size_t align;
    unsigned weight;  // percent of all bytes
};

constexpr Workload::Kind Workload::kinds[] = {
    {"a timer", 56, 8, 4},
    {"a file name", 100, 8, 7},
    {"a directory entry", 192, 64, 15},
    {"a socket", 480, 8, 12},
    {"an inode", 600, 8, 17},
    {"a task", 1712, 16, 8},
    {"a packet", 2048, 64, 8},
    {"a page table", 4096, 4096, 12},
    {"a stack", 16384, 4096, 7},
    {"a disk buffer", 65536, 16, 5},
    {"a file's pages", 131072, 4096, 5},
};

void Workload::run(size_t bytes) {
    slab_stats stats;
    slab_heap_stats(&stats);
    size_t percent = percent_used(stats);
    if (percent >= high_mark) is_filling_ = false;
    if (percent <= low_mark) is_filling_ = true;
    for (moved_ = 0; moved_ < bytes;) {
        bool wants_more = random_.below(8) < (is_filling_ ? 6 : 2);
        if (wants_more && burst_ == 0) change_kind(stats.total_bytes);
        if (!(wants_more ? allocate() : free())) return;
    }
}

void Workload::stop() {
    for (Chain& chain : chains_) {
        while (chain.first != nullptr) slab_free(take(chain));
    }
}

Workload::Sentence Workload::last_call() const {
    Sentence sentence;
    if (was_allocation_) {
        print_to(sentence.text, sizeof sentence.text, "slab_alloc(%zu, %zu) = %p: %s", kind_->size,
                 kind_->align, last_object_, last_object_ == nullptr ? "there is no memory" : kind_->name);
    } else {
        print_to(sentence.text, sizeof sentence.text, "slab_free(%p)", last_object_);
    }
    return sentence;
}

void Workload::change_kind(size_t total_bytes) {
    size_t draw = random_.below(100);
    for (kind_ = kinds; draw >= kind_->weight; kind_++) draw -= kind_->weight;
    burst_ = random_.below(total_bytes / 200) + 1;
}

bool Workload::allocate() {
    auto* object = static_cast<Object*>(slab_alloc(kind_->size, kind_->align));
    moved_ += kind_->size;
    burst_ -= kind_->size < burst_ ? kind_->size : burst_;
    was_allocation_ = true;
    last_object_ = object;
    if (object == nullptr) return false;
    put(chains_[random_.below(chains)], object, random_.below(2) == 0);
    return true;
}

bool Workload::free() {
    size_t first = random_.below(chains);
    for (size_t i = 0; i < chains; i++) {
        Chain& chain = chains_[(first + i) % chains];
        if (chain.first == nullptr) continue;
        Object* freed = take(chain);
        moved_ += slab_usable_size(freed);
        was_allocation_ = false;
        last_object_ = freed;
        slab_free(freed);
        return true;
    }
    return false;
}

void Workload::put(Chain& chain, Object* object, bool in_front) {
    *object = {in_front ? chain.first : nullptr};
    if (chain.first == nullptr) {
        chain.first = chain.last = object;
    } else if (in_front) {
        chain.first = object;
    } else {
        chain.last = chain.last->next = object;
    }
}

Workload::Object* Workload::take(Chain& chain) {
    Object* taken = chain.first;
    chain.first = taken->next;
    return taken;
}

}  // namespace demo
