// SPDX-License-Identifier: MIT
//
// A kernel in C++ that uses new and delete.
#include <slabheap/new_delete.hpp>
#include <slabheap/slabheap.h>

#include "pc.h"

// A kernel that has <new> takes it from there.
struct std::nothrow_t {};

// Your kernel takes its memory from the loader's map.
alignas(SLAB_PAGE_SIZE) static unsigned char memory[64 * 1024];

struct Device {
    int number = 7;
};
struct alignas(256) Frame {
    unsigned char bytes[512];
};

// Volatile, or the compiler takes away a new whose object nobody needs.
static Device* volatile device;
static Frame* volatile frames;
static unsigned char* volatile buffer;

static void report(const slab_fault* fault) {
    char sentence[320];
    slab_fault_describe(fault, sentence, sizeof sentence);
    print(sentence);
}

extern "C" void kernel_main() {
    int const status = slab_heap_init(memory, sizeof memory);
    if (status != SLAB_OK) panic(slab_status_string(status));
    slab_heap_set_fault_handler(report);

    device = new Device;
    frames = new Frame[3];
    buffer = new (std::nothrow_t{}) unsigned char[1024 * 1024];
    if (buffer != nullptr) panic("more memory than there is");
    delete[] frames;
    delete device;
    delete device;

    print("new: allocated and freed");
    finish(PASSED);
}
