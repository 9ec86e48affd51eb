/* SPDX-License-Identifier: MIT */
/*
 * Starting CPUs, and giving them work. A CPU is reset by an INIT, and started by a STARTUP that names the
 * page where it begins (start_cpu.S); a second STARTUP, which one that is running ignores, is for those that
 * have missed the first (Intel 64 and IA-32 Architectures Software Developer's Manual 3, 9.4.4). All are
 * started at once, and waited for together, by the beats of the clock.
 */
#include "acpi.h"
#include "apic.h"
#include "cpu_local.h"
#include "hooks.h"
#include "machine_cpus.h"
#include "slabheap/slabheap.h"

enum { STACK_BYTES = 16384, APICS = 256, ABSENT_APIC = 0xfe, LOWEST_PAGE = 0x1000, HIGHEST_PAGE = 0x9f000 };
enum { BEATS_AFTER_INIT = 2, BEATS_AFTER_STARTUP = 2, BEATS_TO_START = BEATS_PER_SECOND };

/* The code that is copied to where CPUs start. */
extern const char start_cpu[];
extern const char start_cpu_end[];

/* The records of CPUs that are told to start, by the number of their local APIC. */
struct cpu *starting_cpus[APICS];

static struct machine_cpus cpus = {.listed = 1, .running = 1};

static void (*current_work)(void);
static size_t work_number; /* how often there has been work; atomic */

void cpus_find(void) {
    acpi_find();
}

static void rest(unsigned beats) {
    for (; beats != 0; beats--) machine_rest();
}

/* Sleeps, and works when there is work. */
static void serve(struct cpu *cpu) {
    for (;;) {
        size_t number = __atomic_load_n(&work_number, __ATOMIC_ACQUIRE);
        if (number == cpu->work_done) {
            machine_rest();
            continue;
        }
        __asm__ volatile("sti" : : : "memory");
        current_work();
        __asm__ volatile("cli" : : : "memory");
        __atomic_store_n(&cpu->work_done, number, __ATOMIC_RELEASE);
    }
}

/* Called by start_cpu.S. */
void cpu_started(struct cpu *cpu) {
    cpu_local_start(cpu);
    exceptions_load();
    apic_start(0);
    if (__atomic_exchange_n(&cpu->start, START_DONE, __ATOMIC_RELEASE) == START_PENDING) serve(cpu);
    for (;;) __asm__ volatile("cli; hlt");
}

/* A CPU's record and stack. Null when there is no memory for them. */
static struct cpu *make_cpu(uint8_t apic_number) {
    char *stack = slab_alloc(SLAB_PAGE_SIZE + STACK_BYTES, SLAB_PAGE_SIZE);
    struct cpu *cpu = slab_calloc(1, sizeof *cpu);
    if (stack == NULL || cpu == NULL || !machine_guard(stack)) return NULL;
    cpu->stack.start = (uintptr_t)stack + SLAB_PAGE_SIZE;
    cpu->stack.end = cpu->stack.start + STACK_BYTES;
    cpu->apic_number = apic_number;
    return cpu;
}

/* A page below 1 MiB, taken out of the heap; 0 when none is free. */
static uintptr_t take_low_page(void) {
    for (uintptr_t page = HIGHEST_PAGE; page >= LOWEST_PAGE; page -= SLAB_PAGE_SIZE) {
        if (slab_heap_reserve((void *)page, SLAB_PAGE_SIZE) == SLAB_OK) return page;
    }
    return 0;
}

static int all_run(struct cpu *const started[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (__atomic_load_n(&started[i]->start, __ATOMIC_RELAXED) != START_DONE) return 0;
    }
    return 1;
}

/* Starts those CPUs in the page, and waits until they run, or for a second. */
static void start(struct cpu *const started[], size_t count, uintptr_t page) {
    char *copy = (char *)page;
    for (size_t i = 0; start_cpu + i != start_cpu_end; i++) copy[i] = start_cpu[i];
    for (size_t i = 0; i < count; i++) {
        starting_cpus[started[i]->apic_number] = started[i];
        apic_send_init(started[i]->apic_number);
    }
    rest(BEATS_AFTER_INIT);
    for (int attempt = 0; attempt < 2 && !all_run(started, count); attempt++) {
        for (size_t i = 0; i < count; i++) {
            apic_send_startup(started[i]->apic_number, (uint32_t)(page / SLAB_PAGE_SIZE));
        }
        rest(BEATS_AFTER_STARTUP);
    }
    for (unsigned i = 0; i < BEATS_TO_START && !all_run(started, count); i++) rest(1);
}

/* Counts a CPU to those that run, or gives it up: if it comes later, the exchange tells it. */
static void count_cpu(struct cpu *cpu) {
    if (__atomic_exchange_n(&cpu->start, START_GIVEN_UP, __ATOMIC_ACQUIRE) != START_DONE) {
        cpus.silent_ids[cpus.silent++] = cpu->apic_number;
        return;
    }
    cpu->index = (uint32_t)cpus.running;
    running_cpus[cpus.running++] = cpu;
}

/* Starts the CPUs of that list but this one. Returns the note on it. */
static const char *start_all(const uint8_t numbers[], size_t count) {
    struct cpu *started[MACHINE_MOST_CPUS];
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == first_cpu.apic_number) continue;
        started[made] = make_cpu(numbers[i]);
        if (started[made] == NULL) return "there is memory for their stacks";
        made++;
    }
    if (made == 0) return "ACPI lists no other";
    uintptr_t page = take_low_page();
    if (page == 0) return "a page below 1 MiB is free to start them in";
    start(started, made, page);
    for (size_t i = 0; i < made; i++) count_cpu(started[i]);
    running_cpu_count = cpus.running;
    if (cpus.silent != 0) return "every one starts when it is told to"; /* and may yet come, to that page */
    slab_heap_release((void *)page, SLAB_PAGE_SIZE);
    return "all that ACPI lists";
}

const struct machine_cpus *machine_start_cpus(int with_absent) {
    uint8_t numbers[MACHINE_MOST_CPUS + 1];
    uint64_t listed_address;
    uint64_t address = apic_address();
    cpus.note = "there is no local APIC to start others with";
    if (address == 0) return &cpus;
    size_t count = acpi_local_apics(&listed_address, numbers, MACHINE_MOST_CPUS + 1);
    int is_complete = count <= MACHINE_MOST_CPUS;
    if (!is_complete) count = MACHINE_MOST_CPUS;
    if (count != 0) address = listed_address;
    if (!map_uncached(address)) return &cpus;
    apic_set_address(address);
    apic_start(1);
    first_cpu.apic_number = apic_number();
    cpus.note = "ACPI has no list of them";
    if (count == 0) return &cpus;
    if (with_absent && count < MACHINE_MOST_CPUS) numbers[count++] = ABSENT_APIC;
    cpus.listed = count;
    cpus.note = start_all(numbers, count);
    all_cpus_run = is_complete && cpus.running == cpus.listed;
    return &cpus;
}

size_t machine_cpu_count(void) {
    return running_cpu_count;
}

static int all_are_done(void) {
    for (size_t i = 0; i < running_cpu_count; i++) {
        const struct cpu *cpu = running_cpus[i];
        if (__atomic_load_n(&cpu->work_done, __ATOMIC_ACQUIRE) != work_number) return 0;
    }
    return 1;
}

void machine_run_on_all(void (*work)(void), void (*wait)(void)) {
    current_work = work;
    __atomic_store_n(&work_number, work_number + 1, __ATOMIC_RELEASE);
    for (size_t i = 1; i < running_cpu_count; i++) apic_send(running_cpus[i]->apic_number, WAKE_VECTOR);
    __asm__ volatile("sti" : : : "memory");
    work();
    __asm__ volatile("cli" : : : "memory");
    first_cpu.work_done = work_number;
    while (!all_are_done()) wait();
}
