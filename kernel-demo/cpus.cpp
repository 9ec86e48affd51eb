// SPDX-License-Identifier: MIT
//
// A CPU that does not start is a defect of the machine that its user should know of, so it fails a check;
// the kernel does without it.
#include "cpus.hpp"

#include "command_line.hpp"
#include "machine_cpus.h"
#include "print.h"
#include "record.h"
#include "report.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

size_t bytes_for_cpus;

}  // namespace

void start_cpus(const boot_info& boot) {
    heading("CPUs");
    const machine_cpus& cpus = *machine_start_cpus(told_to(boot, "cpu=absent"));
    for (size_t i = 0; i < cpus.silent; i++) {
        print("  the one with local APIC %u does not start\n", cpus.silent_ids[i]);
        record_start("silent_cpu");
        record_number("apic", cpus.silent_ids[i]);
        record_end();
    }
    Check check("started");
    check.require(cpus.running == cpus.listed, cpus.note);
    check.done("%zu running: %s", cpus.running, cpus.note);
}

void share_heap(const boot_info& boot) {
    Check check("the heap's CPUs");
    size_t count = machine_cpu_count();
    size_t size = slab_cpu_memory(count);
    void* memory = size == 0 ? nullptr : slab_alloc(size, SLAB_PAGE_SIZE);
    if (check.require(memory != nullptr || size == 0, "the heap has memory for them")) {
        bytes_for_cpus = memory == nullptr ? 0 : slab_usable_size(memory);
        int status = slab_heap_set_cpus(count, memory, size);
        check.require(status == SLAB_OK, slab_status_string(status));
        if (!told_to(boot, "barrier=none")) slab_heap_set_barrier_hook(machine_barrier_all);
    }
    check.done("%zu, which takes %s of it", count, size_text(bytes_for_cpus).text);
}

size_t shared_heap_bytes() {
    return bytes_for_cpus;
}

}  // namespace demo
