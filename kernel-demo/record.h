/* SPDX-License-Identifier: MIT */
/*
 * The log's other form, for programs: one line of JSON for each fact, written where the log says it to
 * people.
 *
 *     record_start("range");                   {"event":"range",
 *     record_address("start", 0x1000);          "start":"0x1000",
 *     record_number("region", 0);               "region":0}
 *     record_end();
 *
 * Sizes and counts are numbers, addresses strings in hexadecimal. README.md has the table of events.
 */
#ifndef KERNEL_DEMO_RECORD_H
#define KERNEL_DEMO_RECORD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One record. A record that was begun and not ended, because the CPU had an exception, is cut off. */
void record_start(const char *event);
void record_end(void);

/* Its members. What stands in a list has no name: null. */
void record_text(const char *name, const char *text);
void record_number(const char *name, size_t number);
void record_address(const char *name, uint64_t address);
void record_flag(const char *name, int flag);
void record_status(const char *name, int status); /* as a number */

/* Members between these two belong to an object, or a list, that is a member itself. */
void record_object(const char *name);
void record_object_end(void);
void record_list(const char *name);
void record_list_end(void);

#ifdef __cplusplus
}
#endif

#endif
