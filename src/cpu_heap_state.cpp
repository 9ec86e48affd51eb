// SPDX-License-Identifier: MIT
//
// The C++ face of a heap that CPUs share: the steps of SharedHeap forward to the CpuHeap that lies in its
// state.
#include "cpu_heap.hpp"

namespace slabheap {

namespace {

CpuHeap& cpu_heap(void* state) { return *static_cast<CpuHeap*>(state); }
CpuHeap const& cpu_heap(void const* state) { return *static_cast<CpuHeap const*>(state); }

}  // namespace

static_assert(sizeof(CpuHeap) <= sizeof(CpuHeapState));

size_t cpu_memory(size_t count) { return CpuHeap::cpu_memory(count); }

using State = CpuHeapState;

int State::init(uintptr_t start, size_t size) { return cpu_heap(state_).init(start, size); }
int State::set_cpus(size_t count, void* memory, size_t size) {
    return cpu_heap(state_).set_cpus(count, memory, size);
}
int State::add_memory(uintptr_t start, size_t size) { return cpu_heap(state_).add_memory(start, size); }

size_t State::cpu_count() const { return cpu_heap(state_).cpu_count(); }
CpuFronts* State::fronts_of(size_t cpu) { return cpu_heap(state_).fronts_of(cpu); }
bool State::allocate_fast(size_t cpu, size_t size, size_t align, void*& block) {
    return cpu_heap(state_).allocate_fast(cpu, size, align, block);
}
bool State::free_fast(size_t cpu, void* ptr, bool is_alone) {
    return cpu_heap(state_).free_fast(cpu, ptr, is_alone);
}
bool State::free_sized_fast(size_t cpu, void* ptr, size_t size, size_t align, bool is_alone) {
    return cpu_heap(state_).free_sized_fast(cpu, ptr, size, align, is_alone);
}

bool State::is_possible(size_t size, size_t align, Request& request) const {
    return cpu_heap(state_).is_possible(size, align, request);
}
bool State::is_possible_run(size_t count, size_t align, Request& request) const {
    return cpu_heap(state_).is_possible_run(count, align, request);
}
void* State::refuse() { return cpu_heap(state_).refuse(); }
void* State::take_at_hand(CpuFronts* fronts, Request const& request) {
    return cpu_heap(state_).take_at_hand(fronts, request);
}
void* State::take_larger(Request const& request) { return cpu_heap(state_).take_larger(request); }
void* State::search(Request const& request, Cursor& cursor) {
    return cpu_heap(state_).search(request, cursor);
}

bool State::settle_some() { return cpu_heap(state_).settle_some(); }
bool State::return_some_spares() { return cpu_heap(state_).return_some_spares(); }
bool State::empty_next(CpuFronts* fronts, unsigned& next) {
    return cpu_heap(state_).empty_next(fronts, next);
}
bool State::take_back_next(CpuFronts& fronts, unsigned& next) {
    return cpu_heap(state_).take_back_next(fronts, next);
}
void State::close() { cpu_heap(state_).close(); }
void State::open() { cpu_heap(state_).open(); }
bool State::is_busy(CpuFronts const& fronts) const { return CpuHeap::is_busy(fronts); }

uintptr_t State::number(const void* ptr) { return CpuHeap::number(ptr); }
void* State::pointer(uintptr_t address) { return CpuHeap::pointer(address); }
Freed State::free(CpuFronts* fronts, uintptr_t address, Claim const& expected, bool is_alone, Way way,
                  Damage& damage) {
    return cpu_heap(state_).free(fronts, address, expected, is_alone, way, damage);
}
void State::make_pending(uintptr_t address) { cpu_heap(state_).make_pending(address); }
void State::settle_large(uintptr_t address) { cpu_heap(state_).settle_large(address); }

size_t State::block_size(uintptr_t address) const { return cpu_heap(state_).block_size(address); }
bool State::slot_fits(uintptr_t address, size_t size, size_t align) const {
    return cpu_heap(state_).slot_fits(address, size, align);
}
bool State::resize_run(uintptr_t address, size_t size, size_t align) {
    return cpu_heap(state_).resize_run(address, size, align);
}

Opening State::open_guard(uintptr_t address, size_t size) {
    return cpu_heap(state_).open_guard(address, size);
}
void State::close_guard(uintptr_t address) { cpu_heap(state_).close_guard(address); }
void State::return_resting() { cpu_heap(state_).return_resting(); }

Diagnosis State::examine(uintptr_t address, bool is_locked) const {
    return cpu_heap(state_).examine(address, is_locked);
}
void State::report(CallSite site, uintptr_t address, Claim const& expected, Diagnosis const& found) {
    cpu_heap(state_).report(site, address, expected, found);
}
void State::report(CallSite site, Damage const& damage) { cpu_heap(state_).report(site, damage); }
void* State::prepare(void* block, size_t size) { return cpu_heap(state_).prepare(block, size); }
void* State::noted(void* block, CallSite site) { return cpu_heap(state_).noted(block, site); }
void State::resized(void* block, size_t size, CallSite site) { cpu_heap(state_).resized(block, size, site); }
bool State::ask_for_memory(Request const& request) { return cpu_heap(state_).ask_for_memory(request); }
void State::copy(void* to, const void* from, size_t size) { CpuHeap::copy(to, from, size); }
void State::zero(void* block, size_t size) { CpuHeap::zero(block, size); }

int State::reserve(uintptr_t start, size_t size) { return cpu_heap(state_).reserve(start, size); }
int State::release(uintptr_t start, size_t size) { return cpu_heap(state_).release(start, size); }
void State::stats(slab_stats& out) const { cpu_heap(state_).stats(out); }
int State::audit(slab_audit* out) const { return cpu_heap(state_).audit(out); }
FoundBlock State::next_block(uintptr_t address) { return cpu_heap(state_).next_block(address); }

slab_fault_handler State::set_fault_handler(slab_fault_handler handler) {
    return cpu_heap(state_).set_fault_handler(handler);
}
slab_oom_hook State::set_oom_hook(slab_oom_hook hook) { return cpu_heap(state_).set_oom_hook(hook); }
void State::seed(uint64_t entropy) { cpu_heap(state_).seed(entropy); }
bool State::set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in) {
    return cpu_heap(state_).set_guard_hooks(protect, unprotect, one_in);
}
slab_barrier_hook State::set_barrier_hook(slab_barrier_hook hook) {
    return cpu_heap(state_).set_barrier_hook(hook);
}
slab_barrier_hook State::barrier_hook() const { return cpu_heap(state_).barrier_hook(); }
#ifdef SLABHEAP_FAULT_INJECTION
size_t State::inject_failures(slab_injection const* plan) { return cpu_heap(state_).inject_failures(plan); }
#endif

}  // namespace slabheap
