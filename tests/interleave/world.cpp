// SPDX-License-Identifier: MIT
#include "world.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// The library's own data: the linker knows where they are.
extern "C" std::byte __start_slabheap_state[], __stop_slabheap_state[];

namespace interleave {
namespace {

// All in one piece at an address that is the same in every run, so that reports can be compared.
struct Arena {
    alignas(SLAB_MIN_HEAP_SIZE) std::byte heap[SLAB_MIN_HEAP_SIZE];
    alignas(64) std::byte cpus[0x7000];
    alignas(64) uint64_t said[8];
};
Arena& arena = *reinterpret_cast<Arena*>(0x10000000);

struct Block {
    std::byte* address;
    size_t size;  // 0: not in hand
    uint64_t content;
};

// What changes while a scenario runs, beside the memory that is tracked.
struct Table {
    Block blocks[most_blocks];
    const void* faults[8];  // double frees that will be reported, or null
    unsigned foretold;
    uint64_t contents;
};
Table table;

std::string trouble;  // what went wrong while no CPU ran

struct Saved {
    std::byte* start;
    std::vector<std::byte> content;
};
std::vector<Saved> saved;
Table saved_table;

size_t state_size() { return static_cast<size_t>(__stop_slabheap_state - __start_slabheap_state); }

void save(void* start, size_t size) {
    std::byte* const bytes = static_cast<std::byte*>(start);
    saved.push_back({bytes, {bytes, bytes + size}});
}

[[gnu::format(printf, 1, 2)]] void wrong(const char* format, ...) {
    char text[500];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (machine.running()) machine.fail("%s", text);
    if (trouble.empty()) trouble = text;
}

void on_fault(const slab_fault* fault) {
    for (const void*& it : table.faults) {
        if (fault->kind != SLAB_FAULT_DOUBLE_FREE || fault->address != it) continue;
        it = nullptr;
        machine.note("reports a fault, rightly");
        return;
    }
    char text[320];
    slab_fault_describe(fault, text, sizeof text);
    wrong("a fault that is none: %s", text);
}

Block& held(Name name) {
    Block& block = table.blocks[name];
    if (block.size == 0) wrong("the scenario gives block %u back, which it does not have", name);
    return block;
}

uint64_t& first_word(Block const& block) { return *reinterpret_cast<uint64_t*>(block.address); }

// A request has been answered. Returns whether it got a block.
bool admit(Name name, void* address, size_t size) {
    if (address == nullptr) return false;
    Block& block = table.blocks[name];
    if (block.size != 0) wrong("the scenario has a block %u already", name);
    std::byte* const start = static_cast<std::byte*>(address);
    machine.note("gets block %u at %p", name, address);
    if (start < arena.heap || start + size > arena.heap + sizeof arena.heap)
        wrong("block %u at %p is not in the heap", name, address);
    for (Block const& other : table.blocks) {
        if (other.size != 0 && start < other.address + other.size && other.address < start + size)
            wrong("the block at %p is handed out although it is not free", address);
    }
    block = {start, size, ++table.contents};
    machine.plain({start, sizeof(uint64_t), 0, __builtin_return_address(0)}, true);
    first_word(block) = block.content;
    return true;
}

void* dismiss(Name name) {
    Block& block = held(name);
    machine.plain({block.address, sizeof(uint64_t), 0, __builtin_return_address(0)}, false);
    if (first_word(block) != block.content) wrong("block %u has lost its content", name);
    machine.note("gives block %u at %p back", name, static_cast<void*>(block.address));
    block.size = 0;
    return block.address;
}

void give_all() {
    for (Name name = 0; name < most_blocks; ++name) {
        if (has(name)) give(name);
    }
}

size_t in_hand() {
    return static_cast<size_t>(
        std::count_if(table.blocks, std::end(table.blocks), [](Block const& it) { return it.size != 0; }));
}

void audit(const char* when) {
    slab_audit found{};
    if (slab_heap_audit(&found) == SLAB_OK) return;
    std::string const where = found.address == nullptr ? "" : " (" + described(found.address) + ")";
    wrong("%s, this is not true: %s%s", when, found.invariant, where.c_str());
}

slab_stats figures() {
    slab_stats stats;
    slab_heap_stats(&stats);
    return stats;
}

int interrupts_others() {
    if (machine.running()) machine.barrier(__builtin_return_address(0));
    return 1;
}

int refuses() { return 0; }

void check(int status, const char* call) {
    if (status == SLAB_OK) return;
    std::fprintf(stderr, "%s: %s\n", call, slab_status_string(status));
    std::exit(1);
}

}  // namespace

void take(Name name, size_t size) {
    if (!ask(name, size)) wrong("there is no block of %zu bytes, although there must be", size);
}

bool ask(Name name, size_t size) { return admit(name, slab_alloc(size, 8), size); }
bool try_take(Name name, size_t size) { return admit(name, slab_try_alloc(size, 8), size); }
bool ask_pages(Name name, size_t count) {
    return admit(name, slab_alloc_pages(count, 1), count * SLAB_PAGE_SIZE);
}

void give(Name name) { slab_free(dismiss(name)); }

void give_racing(Name name) {
    Block& block = table.blocks[name];
    if (block.size == 0) table.faults[table.foretold++] = block.address;
    block.size = 0;
    machine.note("gives block %u at %p back, as others do", name, static_cast<void*>(block.address));
    slab_free(block.address);
}

bool has(Name name) { return table.blocks[name].size != 0; }

void say(unsigned what) {
    uint64_t& word = arena.said[what];
    machine.announce(&word, false, nullptr);
    machine.store({&word, sizeof word, __ATOMIC_RELEASE, __builtin_return_address(0)}, word, 1);
    word = 1;
}

void wait_for(unsigned what) {
    uint64_t& word = arena.said[what];
    for (;;) {
        machine.announce(&word, false, nullptr);
        if (machine.load({&word, sizeof word, __ATOMIC_ACQUIRE, __builtin_return_address(0)}, word) != 0)
            return;
        machine.pause(__builtin_return_address(0));
    }
}

void act_as(size_t index) { index_at_rest = index; }

void refuse_barriers() { slab_heap_set_barrier_hook(refuses); }

void prepare(Scenario const& scenario) {
    void* const memory = mmap(&arena, sizeof arena, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory != &arena) {
        std::perror("the memory of the heap");
        std::exit(1);
    }
    machine.memory.track(&arena, sizeof arena);
    machine.memory.track(__start_slabheap_state, state_size());

    check(slab_heap_init(arena.heap, sizeof arena.heap), "slab_heap_init");
    slab_heap_set_fault_handler(on_fault);
    unsigned const cpus = scenario.fronts;
    if (cpus != 0) check(slab_heap_set_cpus(cpus, arena.cpus, sizeof arena.cpus), "slab_heap_set_cpus");
    slab_heap_set_barrier_hook(interrupts_others);
    if (scenario.prepare != nullptr) scenario.prepare();
    if (!trouble.empty()) {
        std::fprintf(stderr, "%s cannot be prepared: %s\n", scenario.name, trouble.c_str());
        std::exit(1);
    }

    save(arena.heap, figures().metadata_bytes);
    save(arena.cpus, slab_cpu_memory(cpus));
    save(arena.said, sizeof arena.said);
    save(__start_slabheap_state, state_size());
    saved_table = table;
}

void restore() {
    for (Saved const& it : saved) std::memcpy(it.start, it.content.data(), it.content.size());
    table = saved_table;
    for (Block const& it : table.blocks) {
        if (it.size != 0) first_word(it) = it.content;
    }
}

std::string conclude() {
    trouble.clear();
    act_as(0);
    slab_heap_set_barrier_hook(interrupts_others);
    audit("when all CPUs have ended");
    for (const void* it : table.faults) {
        if (it != nullptr) wrong("the double free of %p was not reported", it);
    }
    slab_stats const stats = figures();
    if (stats.allocations - stats.frees != in_hand())
        wrong("%zu blocks are in hand, but the books have %zu", in_hand(), stats.allocations - stats.frees);
    give_all();
    size_t const all = stats.total_bytes / SLAB_PAGE_SIZE;
    void* const whole = slab_alloc_pages(all, 1);
    if (whole == nullptr) wrong("all blocks are given back, but not all %zu pages can be had", all);
    slab_free(whole);
    if (figures().used_bytes != 0)
        wrong("all blocks are given back, but %zu bytes are used", figures().used_bytes);
    audit("when all has been given back");
    return trouble;
}

std::string described(const void* address) {
    const std::byte* const byte = static_cast<const std::byte*>(address);
    char text[100];
    auto const is_in = [&](std::string const& what, const std::byte* start, size_t size) {
        if (byte < start || byte >= start + size) return false;
        std::snprintf(text, sizeof text, "%s+%#zx", what.c_str(), static_cast<size_t>(byte - start));
        return true;
    };
    size_t const fronts = slab_cpu_memory(2) / 2;
    for (unsigned c = 0; c < sizeof arena.cpus / fronts; ++c) {
        if (is_in("fronts " + std::to_string(c), arena.cpus + c * fronts, fronts)) return text;
    }
    if (is_in("map", arena.heap, saved.front().content.size()) ||
        is_in("block", arena.heap, sizeof arena.heap) ||
        is_in("heap", __start_slabheap_state, state_size()) ||
        is_in("said", reinterpret_cast<const std::byte*>(arena.said), sizeof arena.said))
        return text;
    std::snprintf(text, sizeof text, "%p", address);
    return text;
}

}  // namespace interleave
