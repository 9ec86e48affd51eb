/* SPDX-License-Identifier: MIT */
/*
 * slabheap: the heap of a bare-metal kernel, as a C ABI.
 *
 * One heap per image. Hand it page-aligned memory, then allocate:
 *
 *     slab_heap_init(start, size);            start 4096-aligned, size a multiple of 32 KiB
 *     void *block = slab_alloc(100, 8);       128 bytes, naturally aligned
 *     slab_free(block);
 *
 * Requests of up to 4096 bytes come from slabs (Bonwick 1994) of seven size classes, 64 ... 4096 bytes
 * (twelve, from 32 bytes on, when built with -Dsize_classes=fine); what is larger comes from a buddy
 * allocator (Knuth, TAOCP 1, 2.5) over 4096-byte pages and takes whole pages.
 * The allocator keeps its own data in a page map at the start of each region (about 2 % of it) and never
 * inside a block, free or live, so a kernel's stray writes into its blocks cannot corrupt it.
 *
 * Units: every size is in bytes, every address is what the kernel dereferences; a page is 4096 bytes.
 *
 * Contexts. T: a thread; I: an interrupt handler, also one that has interrupted a call; N: an NMI, likewise.
 * Early boot is T. Allocating, freeing and asking for one block may be done in all three, by any CPU, once
 * slab_heap_set_cpus has given the CPUs their fronts:
 *
 *     slab_alloc, _calloc, _realloc, _alloc_pages    T I N    in N they never wait: what needs the pages while
 *                                                             somebody is at them gets NULL
 *     slab_try_alloc                                 T I N    never waits anywhere
 *     slab_free, _free_sized, _free_pages            T I N    never fail; of a small block never wait; in N
 *                                                             the pages of a large one are free a little later
 *     slab_usable_size, slab_owns                    T I N
 *     slab_heap_init, _set_cpus                      T        while one CPU uses the heap
 *     slab_heap_add_memory, _reserve, _release, _stats, _walk, _check, _audit, _seed, _set_...    T I
 *
 * Waiting is for a spin lock that is held for the length of one bounded step, with interrupts off. How CPUs
 * and contexts are told apart is the kernel's to say (arch/<cpu>/hooks.h). In a process, threads are the
 * CPUs, and nothing need be said; a signal handler must not call. A slabheap::Heap (heap.hpp) is for one
 * caller at a time. The calls that say "constant cost" never loop over memory.
 *
 * Misuse (a double, interior, misaligned or foreign free, a wrong size) is detected exactly, in every build,
 * until the memory is handed out again. It is reported to the fault handler, which traps unless the kernel
 * sets another; when the handler returns, the call that was at fault has changed nothing (but the fault
 * counter).
 *
 * No call uses floating point, recursion, or more than 512 bytes of stack (640 on 32-bit machines; in archives
 * with defences 768). Arguments fit in registers.
 */
#ifndef SLABHEAP_SLABHEAP_H
#define SLABHEAP_SLABHEAP_H

#include <stddef.h>
#include <stdint.h>

#define SLABHEAP_VERSION_MAJOR 0
#define SLABHEAP_VERSION_MINOR 1
#define SLABHEAP_VERSION_PATCH 0

/* Bytes in a page, the unit in which the heap takes memory. */
#define SLAB_PAGE_SIZE 4096
/* The smallest heap, and the unit of slab_heap_init's size. */
#define SLAB_MIN_HEAP_SIZE 0x8000
/* Regions that one heap can have: slab_heap_init's and those of slab_heap_add_memory. */
#define SLAB_MAX_REGIONS 64
/* CPUs that one heap can have. */
#define SLAB_MAX_CPUS 1024
/* Room for size classes in struct slab_stats; class_count says how many are in use. */
#define SLAB_MAX_CLASSES 32

#ifdef __cplusplus
extern "C" {
#endif

/* What the int-returning calls return. */
enum slab_status {
    SLAB_OK = 0,
    SLAB_ERR_ALIGN = -1,        /* start or size is not a multiple of the page size */
    SLAB_ERR_TOO_SMALL = -2,    /* less than 32 KiB (init), or no page left beside its map (add_memory) */
    SLAB_ERR_NOT_MULTIPLE = -3, /* size is not a multiple of 32 KiB (init) */
    SLAB_ERR_RANGE = -4,        /* start is null, the range wraps, or is not the heap's (reserve, release) */
    SLAB_ERR_OVERLAP = -5,      /* the range overlaps a region that the heap already has */
    SLAB_ERR_ALREADY_INITIALISED = -6, /* init was called twice */
    SLAB_ERR_NOT_INITIALISED = -7,     /* init was not called yet */
    SLAB_ERR_TOO_MANY_REGIONS = -8,    /* the heap has SLAB_MAX_REGIONS regions */
    SLAB_ERR_IN_USE = -9,              /* reserve: not every page of the range is free */
    SLAB_ERR_CORRUPT = -10             /* check: an invariant does not hold */
};

/* What a broken contract is. */
enum slab_fault_kind {
    SLAB_FAULT_DOUBLE_FREE = 1, /* the block is free already */
    SLAB_FAULT_INTERIOR,        /* the address is inside a live block, not its start */
    SLAB_FAULT_MISALIGNED,      /* the address is no multiple of 16, as every block's is */
    SLAB_FAULT_FOREIGN,         /* the address is not in memory that the heap hands out */
    SLAB_FAULT_WRONG_SIZE,      /* size or align do not fit the block */
    SLAB_FAULT_NEVER_ALLOCATED, /* the address is in the heap, but was never handed out as a block */
    SLAB_FAULT_CORRUPT,         /* the page map contradicts itself */
    SLAB_FAULT_OVERFLOW,        /* bytes behind the size that was asked for were written (defence canary) */
    SLAB_FAULT_WRITE_AFTER_FREE /* bytes of a free block were written (defence poison) */
};

/* The record of one broken contract. Fields that do not apply are 0. */
struct slab_fault {
    enum slab_fault_kind kind;
    const void *address; /* what the caller passed; of an overflow or a write after free: the first byte */
    const void *block;   /* start of the block, live or freed, that the address belongs to; null: none */
    size_t block_size;   /* that block's real size in bytes: its size class, or its pages */
    size_t size;         /* the size that the caller passed, in bytes; of an overflow: what was asked for */
    size_t align;        /* the alignment that the caller passed, in bytes */
    const void *caller;  /* return address of the call that is at fault */
    const char *call;    /* its name: "slab_free", "slab_realloc", ... */
    unsigned char found[8]; /* of an overflow or a write after free: the bytes from address on */
    const void *allocated_by; /* of a block that is live: return address of the call that gave it, or resized */
    const void *freed_by;     /* of one that is free: of the call that freed it (both: defence tracking) */
};

typedef void (*slab_fault_handler)(const struct slab_fault *);
typedef int (*slab_oom_hook)(size_t size, size_t align);
typedef int (*slab_barrier_hook)(void);
typedef int (*slab_guard_hook)(void *pages, size_t size);
typedef void (*slab_visitor)(void *block, size_t size, void *context);

/* One size class. */
struct slab_class_stats {
    size_t size;     /* bytes in a block */
    size_t live;     /* blocks handed out */
    size_t capacity; /* blocks in its pages, live and free */
    size_t pages;    /* pages that it holds now */
};

/* The heap's figures at one moment. */
struct slab_stats {
    size_t total_bytes; /* page memory under management: the regions without their maps and reserved pages */
    size_t used_bytes;  /* blocks handed out, at their real size */
    size_t available_bytes;    /* total_bytes - used_bytes */
    size_t metadata_bytes;     /* page maps; not part of total_bytes */
    size_t largest_free_bytes; /* largest free buddy block */
    size_t allocations;        /* calls that returned a block */
    size_t frees;              /* calls that took one back */
    size_t failures;           /* calls that returned NULL for want of memory or because of their arguments */
    size_t faults;             /* broken contracts */
    size_t requested_bytes_total; /* sum of the sizes asked for, over all allocations */
    size_t taken_bytes_total;     /* sum of the real sizes of the blocks given for them */
    struct slab_class_stats classes[SLAB_MAX_CLASSES];
    size_t class_count;
};

/* The first invariant that slab_heap_audit finds broken. */
struct slab_audit {
    const char *invariant; /* the sentence that is not true; null when all hold */
    const void *address;   /* the page, block or region that contradicts it */
};

/*
 * Gives the heap its first region and makes it usable. start: page-aligned, not null. size: at least 32 KiB
 * and a multiple of it; the region may end at the very top of the address space. The memory's content does
 * not matter and is not cleared. The region's page map takes its first pages: one for 32 KiB, less than 2 % of a
 * large one. Returns SLAB_OK, or SLAB_ERR_ALREADY_INITIALISED, _RANGE, _ALIGN, _TOO_SMALL or _NOT_MULTIPLE,
 * tested in this order; then nothing has changed. Constant cost: it does not grow with size.
 */
int slab_heap_init(void *start, size_t size);

/*
 * Adds a region, at any time after init. start and size: multiples of 4096; size: more than its page map
 * needs. It may touch other regions, but blocks never reach from one into another. Returns SLAB_OK, or
 * SLAB_ERR_NOT_INITIALISED, _RANGE, _ALIGN, _TOO_SMALL, _OVERLAP or _TOO_MANY_REGIONS; then nothing has
 * changed. Constant cost, but for the shift of at most 63 table entries.
 */
int slab_heap_add_memory(void *start, size_t size);

/*
 * Returns a block of at least size bytes, aligned to align (a power of two) and to at least 16, with
 * undefined content; or NULL, counted in failures: no memory, align 0 or not a power of two, or a size that
 * overflows. Size 0 counts as 1. A request of up to 4096 bytes whose alignment is up to 4096 takes a block of
 * the smallest class that has both; any other takes whole pages. The block freed last is handed out first
 * (LIFO within its class), but with a quarantine or at random places. A request that fits never fails: before NULL, cached blocks are collected, empty
 * slabs returned to the pages, larger classes tried, runs of pages searched across buddy blocks, and the
 * out-of-memory hook asked once. Constant cost while a block or a page is at hand; what precedes NULL grows
 * with the heap.
 */
void *slab_alloc(size_t size, size_t align);

/*
 * As slab_alloc, but never waits, searches, empties caches or asks the out-of-memory hook: NULL when no block
 * is at hand, or when somebody else is at the pages right now. Bounded.
 */
void *slab_try_alloc(size_t size, size_t align);

/*
 * Takes a block back. NULL is allowed and does nothing. Anything else that is not the start of a live block
 * is a fault: SLAB_FAULT_DOUBLE_FREE, _INTERIOR, _MISALIGNED, _FOREIGN or _NEVER_ALLOCATED. Constant cost.
 * In an archive with the defence canary a block whose end was written is freed, too, and then reported:
 * SLAB_FAULT_OVERFLOW.
 */
void slab_free(void *ptr);

/*
 * As slab_free, and checks that size and align are ones that the block can have been allocated with; if they
 * are not, SLAB_FAULT_WRONG_SIZE. For C++'s sized delete and for Rust's dealloc. Constant cost.
 */
void slab_free_sized(void *ptr, size_t size, size_t align);

/*
 * Returns count * size zeroed bytes aligned to 16, or NULL as slab_alloc does, also when the product
 * overflows.
 */
void *slab_calloc(size_t count, size_t size);

/*
 * Resizes a block, keeping the smaller of both sizes' content. Stays in place when it can: a slab block
 * within its class, a large block within its pages, by giving back its tail, or by taking free pages behind
 * it. ptr NULL allocates; size 0 counts as 1. Returns the block, which may have moved, or NULL as slab_alloc
 * does; then the old block is as it was. Faults as slab_free does; then it returns NULL. Costs a copy when
 * the block moves.
 */
void *slab_realloc(void *ptr, size_t size, size_t align);

/*
 * Returns the real size of a live block, all of which may be used (with the defence canary, or a shadow: the
 * size that was asked for). What is no live block (NULL too) is a fault, and returns 0. Constant cost.
 */
size_t slab_usable_size(const void *ptr);

/* Returns 1 when ptr is the start of a live block of this heap, else 0. Never faults. Constant cost. */
int slab_owns(const void *ptr);

/*
 * Returns count consecutive pages (0 counts as 1), aligned to align: a power of two, below 4096 it counts as
 * 4096. NULL as slab_alloc does. To be given back with slab_free_pages, or with slab_free.
 */
void *slab_alloc_pages(size_t count, size_t align);

/*
 * Takes a run of pages back. count must be the run's (0 counts as 1), else SLAB_FAULT_WRONG_SIZE; that is
 * also what a block of a size class gets. Other faults as slab_free. NULL is allowed.
 */
void slab_free_pages(void *ptr, size_t count);

/*
 * Takes a page-aligned range out of the heap: a device's window, a crash log. Every page must be free, and
 * total_bytes shrinks by the range. Returns SLAB_OK, SLAB_ERR_NOT_INITIALISED, _ALIGN, _TOO_SMALL (size 0),
 * _RANGE (not within one region) or _IN_USE; then nothing has changed. Costs about one page call; empties
 * caches if it must.
 */
int slab_heap_reserve(void *start, size_t size);

/*
 * Gives a reserved range back, or a part of one, or several that touch. Returns SLAB_OK, or
 * SLAB_ERR_NOT_INITIALISED, _ALIGN, _TOO_SMALL (size 0) or _RANGE (not all of it is reserved); then nothing
 * has changed.
 */
int slab_heap_release(void *start, size_t size);

/*
 * Several CPUs: gives each of count (1 ... SLAB_MAX_CPUS) its own fronts, the caches that its calls use
 * without a lock. memory: slab_cpu_memory(count) bytes or more, aligned to 64, the heap's for good (it may be
 * a block of the heap); not needed for one CPU, which is what a heap has before. To be called once, after
 * slab_heap_init, while one CPU uses the heap; the hooks (arch/<cpu>/hooks.h) then say which CPU calls. Add the
 * largest region first: from now on it is the one whose blocks go the shortest way. Returns SLAB_OK, or
 * SLAB_ERR_NOT_INITIALISED, _ALREADY_INITIALISED (it has several), _RANGE (count; null), _ALIGN or
 * _TOO_SMALL; then nothing has changed.
 */
int slab_heap_set_cpus(size_t count, void *memory, size_t size);

/* Bytes that slab_heap_set_cpus needs for so many CPUs: about 4 KiB for each; 0 for one. */
size_t slab_cpu_memory(size_t count);

/*
 * Sets what makes every other CPU pass a full memory barrier before it returns (an inter-processor interrupt;
 * membarrier in a process), so that what other CPUs have in their fronts can be taken back before NULL is
 * returned; null for nothing. It returns non-zero, or 0 if that cannot be done now. Called without a lock, in
 * the context of the call that runs out of memory. Returns the previous hook.
 */
slab_barrier_hook slab_heap_set_barrier_hook(slab_barrier_hook hook);

/* Fills in *out; before init all is zero but failures and faults. The cost grows with the number of regions
 * and classes. */
void slab_heap_stats(struct slab_stats *out);

/*
 * Calls visit for every live block, in ascending order of address, with its real size. visit may free the
 * block it is given and no other, and must not allocate.
 */
void slab_heap_walk(slab_visitor visit, void *context);

/*
 * Audits every invariant of the heap's data. Returns SLAB_OK, SLAB_ERR_NOT_INITIALISED or SLAB_ERR_CORRUPT.
 * Never faults, never crashes on corrupt data, changes nothing. The cost grows with the part of the heap that
 * was ever used, and by a step for every 16 MiB of it.
 */
int slab_heap_check(void);

/* As slab_heap_check, and says which invariant does not hold, and where. out may be null. */
int slab_heap_audit(struct slab_audit *out);

/* Sets what a broken contract calls; null restores the default, which traps. Returns the previous one (null:
 * default). */
slab_fault_handler slab_heap_set_fault_handler(slab_fault_handler handler);

/*
 * Sets what is called before an allocation returns NULL for want of memory; null for nothing. It may free and
 * add memory. When it returns non-zero the request is tried once more. Returns the previous hook.
 */
slab_oom_hook slab_heap_set_oom_hook(slab_oom_hook hook);

/*
 * Stirs something that nobody else knows (a cycle counter, what the firmware or a random device gives) into
 * the numbers by which an archive with the defence random places blocks; in any other it does nothing. To be
 * called once at least, after slab_heap_init, and whenever there is something new. Cost: a few hundred
 * instructions for each CPU.
 */
void slab_heap_seed(uint64_t entropy);

/*
 * Guard pages, in an archive with the defence guard: sets what makes pages fault at any access, and what undoes
 * it. From then on a page that faults follows each block of whole pages, and one small request in one_in (on the
 * average; 0: none) gets a block that ends where such a page begins; freed, that block faults itself until eight
 * more such blocks were freed, or memory runs short. No size and no figure has the guards in it; usable_size of
 * such a small block is the size that was asked for, rounded up to a multiple of 16 and of its alignment.
 *
 * Both hooks get whole pages, and return non-zero, or 0 if it cannot be done: where protect cannot, the block has
 * no guard; what unprotect cannot undo stays out of use for good. unprotect may get several ranges that were
 * protected at once, and pages of which protect said that it cannot. They are called in the context of the call
 * that allocates, resizes or frees (T, I or N), never with the page lock held; a hook that allocates is called for
 * what it allocates. When memory is short, blocks are given without guards, rather than not at all.
 *
 * protect null: no more guards; those that are there stay, and unprotect null leaves them the hook that was set.
 * At any time; the next small request of each CPU has a guard. Returns 1, or 0 when there are no guards in this archive, and nothing is done.
 */
int slab_heap_set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in);

/*
 * Writes one sentence about a fault: the call, the address, what the block is, what was expected, the likely
 * cause. At most size bytes including the final 0; returns the sentence's length without it, as snprintf
 * does. size may be 0, out then null. 384 bytes hold every sentence.
 */
size_t slab_fault_describe(const struct slab_fault *fault, char *out, size_t size);

/* Returns a sentence for a slab_status, "unknown status" for anything else. */
const char *slab_status_string(int status);

#ifdef __cplusplus
}
#endif

#endif
