/* SPDX-License-Identifier: MIT */
/*
 * What ACPI's tables say of the machine's CPUs. The firmware leaves them in memory that the heap never gets.
 */
#ifndef ARCH_PC_ACPI_H
#define ARCH_PC_ACPI_H

#include <stddef.h>
#include <stdint.h>

/* Finds where the tables begin. To be called while page 0 can be read. */
void acpi_find(void);

/*
 * Reads the local APICs' address and numbers; an APIC that the firmware has disabled, and what is more than
 * `room`, is left out. Returns how many there are; 0: there is no table of them.
 */
size_t acpi_local_apics(uint64_t *address, uint8_t numbers[], size_t room);

#endif
