// SPDX-License-Identifier: MIT
#include "blocks.hpp"

namespace slabheap::misuse {

Neighbours neighbours(size_t size) {
    constexpr size_t most = 64;
    unsigned char* blocks[most];
    size_t count = 0;
    Neighbours found{};
    Neighbours apart{};
    const auto compare = [&](unsigned char* low, unsigned char* high) {
        if (low + real_size(size) == high) found = {low, high};
        if (low + real_size(size) + SLAB_PAGE_SIZE == high) apart = {low, high};
    };
    while (count < most && found.high == nullptr && (blocks[count] = allocate(size)) != nullptr) {
        for (size_t i = 0; i < count; ++i) {
            compare(blocks[i], blocks[count]);
            compare(blocks[count], blocks[i]);
        }
        ++count;
    }
    if (found.high == nullptr && size > SLAB_PAGE_SIZE) found = apart;
    if (found.high == nullptr && count != 0) found.low = blocks[0];
    while (count-- != 0) {
        if (blocks[count] != found.low && blocks[count] != found.high) slab_free(blocks[count]);
    }
    return found;
}

bool hands_out_twice(size_t size) {
    constexpr size_t count = 16;
    void* blocks[count];
    bool is_twice[count] = {};
    bool any = false;
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = allocate(size);
        for (size_t j = 0; j < i; ++j) is_twice[i] = is_twice[i] || blocks[i] == blocks[j];
        any = any || is_twice[i];
    }
    for (size_t i = 0; i < count; ++i) {
        if (!is_twice[i]) slab_free(blocks[i]);
    }
    return any;
}

}  // namespace slabheap::misuse
