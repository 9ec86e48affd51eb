// SPDX-License-Identifier: MIT
//
// The heap, live: a picture of 80 x 25 characters with the map of its memory, its size classes, its
// figures, what happened last, and the keys.
#ifndef KERNEL_DEMO_HEAP_SCREEN_HPP
#define KERNEL_DEMO_HEAP_SCREEN_HPP

#include "boot_info.h"
#include "heap_map.hpp"
#include "slabheap/slabheap.h"

namespace demo {

class HeapScreen {
public:
    // Takes the screen, if the machine has one, until the end of this object's life.
    HeapScreen(const boot_info& boot, HeapMap& map);
    ~HeapScreen();
    HeapScreen(const HeapScreen&) = delete;
    HeapScreen& operator=(const HeapScreen&) = delete;

    bool is_there() const { return is_there_; }

    // Draws the heap's state, the workload's last call, and what the last key did.
    void draw(const char* last_call, const char* answer);

    // The figures that were drawn last.
    const slab_stats& figures() const { return stats_; }

private:
    void draw_frame() const;
    void draw_usage() const;
    void draw_map() const;
    void draw_classes() const;
    void draw_figures() const;
    size_t cell_bytes_for(size_t cells) const;

    const boot_info& boot_;
    HeapMap& map_;
    const bool is_there_;
    slab_stats stats_ = {};
};

}  // namespace demo

#endif
