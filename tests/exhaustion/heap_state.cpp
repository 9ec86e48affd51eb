// SPDX-License-Identifier: MIT
#include "heap_state.hpp"

#include <cstring>

#include "heap_core.hpp"

namespace exhaustion {

namespace {

using namespace slabheap;

static_assert(sizeof(Word) == sizeof(uint64_t), "states are stored as words of 64 bits");

class Inside : public HeapCore {
public:
    void normalise() {
        for (Front& front : own_.of_class) normalise(front);
        large_allocations_ -= large_frees_;
        large_frees_ = requested_ = taken_pages_ = failures_ = faults_ = 0;
        for (unsigned i = 0; i < region_count(); ++i) {
            for (Word page = region(i).first_usable(); page < region(i).end_page; ++page) {
                if (region(i).knows_page(page)) normalise(region(i), page);
            }
        }
    }

private:
    static void normalise(Front& front) {
        front.allocations -= front.frees;
        front.frees = front.requested = 0;
        Word const depth = front.other != 0 ? front.hidden_depth : front.depth;
        for (Word i = depth + 1; i <= stack_size; ++i) front.stack[i] = 0;
        if ((front.word | front.hidden_word) == 0)
            front.word_base = front.word_live_bias = front.word_handed = 0;
    }

    static void normalise(Region& region, Word page) {
        uint8_t const what = region.tag(page);
        if (tag::is_slab(what)) return;
        bool const has_count = what == tag::large || what == tag::reserved || what == tag::freed_large;
        for (unsigned w = has_count; w < slot_words; ++w) region.slots(page)[w] = 0;
        for (unsigned w = 0; w < slot_words && !tag::is_freed_slab(what); ++w) region.handed(page)[w] = 0;
    }
};

Inside& inside(Heap& heap) { return reinterpret_cast<Inside&>(heap); }

std::span<uint64_t> words(void* start, size_t size) {
    return {static_cast<uint64_t*>(start), size / sizeof(uint64_t)};
}

}  // namespace

HeapState::HeapState(Heap& heap, std::span<uint64_t> later) : heap_(heap) {
    normalise();
    parts_.push_back(words(&heap, sizeof(HeapCore)));
    for (unsigned i = 0; i < inside(heap).region_count(); ++i) {
        Region& region = inside(heap).region(i);
        parts_.push_back(words(&region, region.map_pages << page_shift));
    }
    parts_.push_back(later);
    for (std::span<uint64_t> part : parts_) first_.emplace_back(part.begin(), part.end());
}

void HeapState::normalise() { inside(heap_).normalise(); }

// How many words differ from the first state; what they are; which they are, four to a word.
void HeapState::pack(std::vector<uint64_t>& out) const {
    static std::vector<uint16_t> which;
    which.clear();
    size_t const start = out.size();
    out.push_back(0);
    size_t number = 0;
    for (size_t part = 0; part < parts_.size(); ++part) {
        uint64_t const *now = parts_[part].data(), *first = first_[part].data();
        for (size_t i = 0; i < parts_[part].size(); ++i) {
            if (now[i] == first[i]) continue;
            out.push_back(now[i]);
            which.push_back(static_cast<uint16_t>(number + i));
        }
        number += parts_[part].size();
    }
    out[start] = which.size();
    if (which.empty()) return;
    which.resize((which.size() + 3) / 4 * 4);
    size_t const behind = out.size();
    out.resize(behind + which.size() / 4);
    std::memcpy(&out[behind], which.data(), which.size() * sizeof(uint16_t));
}

uint64_t const* HeapState::restore(uint64_t const* packed) {
    for (size_t part = 0; part < parts_.size(); ++part) {
        if (!first_[part].empty())
            std::memcpy(parts_[part].data(), first_[part].data(), parts_[part].size_bytes());
    }
    size_t const count = *packed++;
    uint16_t const* const which = reinterpret_cast<uint16_t const*>(packed + count);
    size_t part = 0, before = 0;
    for (size_t i = 0; i < count; ++i) {
        while (which[i] - before >= parts_[part].size()) before += parts_[part++].size();
        parts_[part][which[i] - before] = packed[i];
    }
    return packed + count + (count + 3) / 4;
}

size_t HeapState::map_pages(const void* start, size_t size) {
    Word const first = reinterpret_cast<uintptr_t>(start) >> page_shift;
    return Region::map_pages_needed(first, first + (size >> page_shift));
}

}  // namespace exhaustion
