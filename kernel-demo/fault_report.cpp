// SPDX-License-Identifier: MIT
//
// The heap calls its handler with a record; the sentence is made while that lasts.
#include "fault_report.hpp"

namespace demo {

FaultReport fault_report;

void keep_report(const slab_fault* fault) {
    fault_report.count++;
    fault_report.fault = *fault;
    slab_fault_describe(fault, fault_report.sentence, sizeof fault_report.sentence);
}

}  // namespace demo
