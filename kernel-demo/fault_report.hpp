// SPDX-License-Identifier: MIT
//
// Contracts broken on purpose: the fault handler keeps what the heap says, and returns.
#ifndef KERNEL_DEMO_FAULT_REPORT_HPP
#define KERNEL_DEMO_FAULT_REPORT_HPP

#include "slabheap/slabheap.h"

namespace demo {

struct FaultReport {
    unsigned count = 0;  // of faults
    slab_fault fault = {};
    char sentence[384] = "";
};

// The report of the fault that was last provoked.
extern FaultReport fault_report;

// For slab_heap_set_fault_handler.
void keep_report(const slab_fault* fault);

// Makes a call that breaks a contract.
template <class Call>
void provoke(Call call) {
    fault_report = {};
    slab_fault_handler previous = slab_heap_set_fault_handler(keep_report);
    call();
    slab_heap_set_fault_handler(previous);
}

}  // namespace demo

#endif
