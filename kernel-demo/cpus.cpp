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

namespace demo {

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

}  // namespace demo
