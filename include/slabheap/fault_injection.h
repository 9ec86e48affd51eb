/* SPDX-License-Identifier: MIT */
/*
 * Failures on purpose, for tests: in an archive that was built with -Dfault_injection=true, requests for
 * pages are refused as a plan says, so that a kernel's tests see what becomes of each of them. One that walks
 * through all places where a scenario can run out of memory:
 *
 *     for (size_t n = 0;; n++) {
 *         const struct slab_injection nth = {.space = n, .times = 1, .probability = 100};
 *         slab_heap_inject_failures(&nth);
 *         scenario();
 *         if (slab_heap_inject_failures(NULL) <= n) break;    (none was left to be refused)
 *     }
 *
 * Other archives do not have the call, so that no test passes because nothing was refused: the linker then
 * says "undefined reference to slab_heap_inject_failures". In C++ it is a method of Heap and of SharedHeap.
 */
#ifndef SLABHEAP_FAULT_INJECTION_H
#define SLABHEAP_FAULT_INJECTION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which requests are refused. The words are those of Linux's fault injection (failslab). */
struct slab_injection {
    size_t space;         /* requests that are served before the first may be refused */
    size_t times;         /* refusals at most; SIZE_MAX: no limit */
    unsigned probability; /* of a refusal, in percent: 100 and more refuse each request */
    uint32_t seed;        /* of the random numbers behind it; the same seed refuses the same requests */
};

/*
 * Follows this plan from now on; null: nothing is refused. Returns how many requests there were since the
 * last call, with those that were refused. A request is whenever the heap turns to its free pages: for a
 * slab, a large block, the pages behind a block that grows, a range to be reserved; once more when all that
 * is free was gathered, and at each step of a search across buddy blocks. So a call often survives one
 * refusal by the ways it has before NULL; with times SIZE_MAX whatever needs a page fails. Contexts: T I.
 * Constant cost.
 */
size_t slab_heap_inject_failures(const struct slab_injection *plan);

#ifdef __cplusplus
}
#endif

#endif
