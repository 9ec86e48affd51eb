// SPDX-License-Identifier: MIT
//
// See checked_heap.hpp. Here are regions, reserved ranges and CPUs, the hooks, faults, and all that is looked
// at from time to time.
#include "checked_heap.hpp"

#include "class_set.hpp"
#include "test_heap.hpp"
#include "trace.hpp"

#include <algorithm>
#include <cstring>

namespace slabheap::fuzz {

namespace {

constexpr size_t most_cpus = 8;
alignas(64) std::byte cpu_fronts[most_cpus * 8 * 1024];

bool wraps(uintptr_t start, size_t size) { return size != 0 && start + (size - 1) < start; }
bool is_of_pages(uintptr_t start, size_t size) { return start % page_size == 0 && size % page_size == 0; }

// For a while the caller is a thread: not every call may be made in an NMI.
class AsThread {
public:
    AsThread() { caller.context = CONTEXT_THREAD; }
    ~AsThread() { caller.context = before_; }
    AsThread(const AsThread&) = delete;
    AsThread& operator=(const AsThread&) = delete;

private:
    const cpu_context before_ = caller.context;
};

}  // namespace

uintptr_t CheckedHeap::cpu_memory() { return test::address_of(cpu_fronts); }

// --- regions
// ------------------------------------------------------------------------------------------------

int CheckedHeap::status_of_init(uintptr_t start, size_t size) const {
    if (!regions_.empty()) return SLAB_ERR_ALREADY_INITIALISED;
    if (start == 0 || wraps(start, size)) return SLAB_ERR_RANGE;
    if (start % page_size != 0) return SLAB_ERR_ALIGN;
    if (size < SLAB_MIN_HEAP_SIZE) return SLAB_ERR_TOO_SMALL;
    return size % SLAB_MIN_HEAP_SIZE == 0 ? SLAB_OK : SLAB_ERR_NOT_MULTIPLE;
}

int CheckedHeap::status_of_add(uintptr_t start, size_t size) const {
    if (regions_.empty()) return SLAB_ERR_NOT_INITIALISED;
    if (start == 0) return SLAB_ERR_RANGE;
    if (!is_of_pages(start, size)) return SLAB_ERR_ALIGN;
    if (wraps(start, size)) return SLAB_ERR_RANGE;
    if (size <= page_size) return SLAB_ERR_TOO_SMALL;
    const bool overlaps = std::any_of(regions_.begin(), regions_.end(), [&](const Region& region) {
        return region.start - start < size || start - region.start < region.size;
    });
    if (overlaps) return SLAB_ERR_OVERLAP;
    return regions_.size() == SLAB_MAX_REGIONS ? SLAB_ERR_TOO_MANY_REGIONS : SLAB_OK;
}

// A region that is to be taken finds garbage where its page map comes to lie.
template <class Call>
void CheckedHeap::take_region(uintptr_t start, size_t size, int expected, Call call) {
    if (expected != SLAB_OK) return expect_status(call(), expected);
    if (!memory_.contains(start, size)) return;
    const AsThread thread;
    memory_.prepare_region(start, size, std::min(size, test::most_map_bytes(size) + pages(2)), garbage_);
    const size_t map_before = stats().metadata_bytes;
    expect_status(call(), SLAB_OK);
    const size_t map = stats().metadata_bytes - map_before;
    expect(map != 0 && map % page_size == 0 && map < size, "a region has a page map, and more than that");
    memory_.add_region(start, size, map);
    model_.add_region(start + map, (size - map) / page_size);
    regions_.push_back({start, size});
}

void CheckedHeap::init(uintptr_t start, size_t size) {
    take_region(start, size, status_of_init(start, size), [&] {
        say("slab_heap_init(%s, %zu)", name(start).c_str(), size);
        return face_.init(pointer(start), size);
    });
}

void CheckedHeap::add_memory(uintptr_t start, size_t size) {
    take_region(start, size, status_of_add(start, size), [&] {
        say("slab_heap_add_memory(%s, %zu)", name(start).c_str(), size);
        return face_.add_memory(pointer(start), size);
    });
}

void CheckedHeap::expect_status(int status, int expected) {
    say(" = %d: %s\n", status, slab_status_string(status));
    if (request_ == nullptr) expect_at_rest();
    expect_no_fault();
    if (status != expected) say("%d is expected: %s", expected, slab_status_string(expected));
    expect(status == expected, "a call returns the status that is documented");
}

// Of a range of pages: what reserve and release refuse alike.
int CheckedHeap::status_of_range(uintptr_t start, size_t size) const {
    if (regions_.empty()) return SLAB_ERR_NOT_INITIALISED;
    if (!is_of_pages(start, size)) return SLAB_ERR_ALIGN;
    if (size == 0) return SLAB_ERR_TOO_SMALL;
    const bool is_within = std::any_of(regions_.begin(), regions_.end(), [&](const Region& region) {
        return start - region.start < region.size && size <= region.size - (start - region.start);
    });
    return is_within ? SLAB_OK : SLAB_ERR_RANGE;
}

void CheckedHeap::reserve(uintptr_t start, size_t size) {
    const AsThread thread;
    int expected = status_of_range(start, size);
    const bool are_free = expected == SLAB_OK && model_.all_free(start, size / page_size);
    if (expected == SLAB_OK && !are_free) expected = SLAB_ERR_IN_USE;
    say("slab_heap_reserve(%s, %zu)", name(start).c_str(), size);
    const int status = face_.reserve(pointer(start), size);
    const bool is_held_by_others = cpus_ != 1 && barrier_ != Barrier::answers && status == SLAB_ERR_IN_USE;
    expect_status(status, are_free && is_held_by_others ? SLAB_ERR_IN_USE : expected);
    if (status != SLAB_OK) return;
    model_.set_reserved(start, size / page_size, true);
    for (size_t offset = 0; offset < size; offset += page_size) memory_.take(start + offset, page_size);
}

void CheckedHeap::release(uintptr_t start, size_t size) {
    const AsThread thread;
    int expected = status_of_range(start, size);
    if (expected == SLAB_OK && !model_.all_reserved(start, size / page_size)) expected = SLAB_ERR_RANGE;
    say("slab_heap_release(%s, %zu)", name(start).c_str(), size);
    const int status = face_.release(pointer(start), size);
    expect_status(status, expected);
    if (status != SLAB_OK) return;
    model_.set_reserved(start, size / page_size, false);
    for (size_t offset = 0; offset < size; offset += page_size) memory_.give(start + offset);
}

// --- CPUs, hooks
// --------------------------------------------------------------------------------------------

void CheckedHeap::set_cpus(size_t count, uintptr_t memory, size_t size) {
    if (!is_c()) return;
    const AsThread thread;
    int expected = SLAB_OK;
    if (regions_.empty()) {
        expected = SLAB_ERR_NOT_INITIALISED;
    } else if (cpus_ != 1) {
        expected = SLAB_ERR_ALREADY_INITIALISED;
    } else if (count == 0 || count > SLAB_MAX_CPUS || (count != 1 && memory == 0)) {
        expected = SLAB_ERR_RANGE;
    } else if (count != 1 && memory % 64 != 0) {
        expected = SLAB_ERR_ALIGN;
    } else if (count != 1 && size < slab_cpu_memory(count)) {
        expected = SLAB_ERR_TOO_SMALL;
    } else if (count != 1 && (memory - cpu_memory() >= sizeof cpu_fronts ||
                              size > sizeof cpu_fronts - (memory - cpu_memory()))) {
        return;
    }
    say("slab_heap_set_cpus(%zu, %s, %zu)", count, name(memory).c_str(), size);
    expect_status(face_.set_cpus(count, pointer(memory), size), expected);
    if (expected != SLAB_OK) return;
    cpus_ = count;
    callers_.reset();
}

int CheckedHeap::on_barrier() {
    expect_no_lock();
    return current_->barrier_ == Barrier::answers;
}

void CheckedHeap::set_barrier(Barrier barrier) {
    const AsThread thread;
    constexpr const char* words[] = {"null", "refuses", "answers"};
    say("slab_heap_set_barrier_hook(%s)\n", words[static_cast<int>(barrier)]);
    const slab_barrier_hook before = face_.set_barrier_hook(barrier == Barrier::none ? nullptr : on_barrier);
    expect(!is_c() || before == (barrier_ == Barrier::none ? nullptr : on_barrier),
           "the hook before is told");
    barrier_ = barrier;
}

// The hook for want of memory.
int CheckedHeap::run_out(size_t size, size_t align) {
    say(" [the hook is asked for %zu, %zu", size, align);
    expect_no_lock();
    expect(request_ != nullptr && request_->gathers, "the hook is asked for what may wait");
    Request& request = *request_;
    expect(++request.asked == 1, "the hook is asked once");
    expect(size == std::max<size_t>(request.layout.size, 1) && align == request.layout.align,
           "the hook is asked for what was requested");
    expect(!request.surely || !fits(request), "the hook is asked when nothing fits");
    for (size_t i = 0; i < plan_.frees && has_block(); ++i) {
        const uintptr_t address = block(97 * i % 256);
        if (address == request.resized && !plan_.frees_the_block) continue;
        say(", frees %s", name(address).c_str());
        expect_content(address);
        {
            const GuardedMemory::Filled filled(memory_, address);
            face_.deallocate(pointer(address));
        }
        freed(address);
    }
    if (plan_.pages != 0) {
        say(", adds ");
        add_memory(test::address_of(memory_.page(0)) + pages(plan_.page), pages(plan_.pages));
    }
    request.answered = plan_.tries_again;
    say("]");
    return request.answered;
}

// --- faults
// -------------------------------------------------------------------------------------------------

void CheckedHeap::on_fault(const slab_fault* fault) {
    expect_no_lock();
    current_->faults_.push_back(*fault);
    if (caller.context == CONTEXT_NMI) return;
    const int expected = current_->regions_.empty() ? SLAB_ERR_NOT_INITIALISED : SLAB_OK;
    expect(current_->face_.check() == expected, "the audit passes in the fault handler");
}

slab_stats CheckedHeap::stats() {
    const AsThread thread;
    slab_stats stats;
    face_.stats(stats);
    return stats;
}

void CheckedHeap::expect_no_fault() {
    if (damage_) expect_damage(*damage_);
    damage_.reset();
    expect(faults_.empty(), "what is right is no fault");
}

void CheckedHeap::expect_one_fault(const Passed& passed, bool wrong_size, const slab_stats& before) {
    expect_at_rest();
    expect(faults_.size() == 1, "what is wrong is one fault");
    const slab_fault record = faults_.front();
    faults_.clear();
    ++fault_count_;
    expect(expect_sentence(record, 0) < 384, "384 bytes hold the sentence of every fault");
    const HeapModel::Verdict verdict = model_.verdict(passed.address);
    expect(wrong_size ? record.kind == SLAB_FAULT_WRONG_SIZE : verdict.allows(record.kind),
           "a fault is of the kind that it is");
    expect(record.address == pointer(passed.address) && std::string(record.call) == passed.call &&
               record.size == passed.size && record.align == passed.align && record.caller != nullptr,
           "a fault's record says what was called");
    const uintptr_t block = test::address_of(record.block);
    if (wrong_size || record.kind == SLAB_FAULT_INTERIOR) {
        const auto found = live().find(block);
        expect(found != live().end() && found->second.size == record.block_size,
               "a fault's record has the live block");
    }
    if (record.kind == SLAB_FAULT_DOUBLE_FREE) {
        expect(block == passed.address && record.block_size != 0, "a fault's record has the freed block");
    }
    expect(record.block == nullptr ? record.block_size == 0 : passed.address - block < record.block_size,
           "the address is in the block of its fault");
    expect(record.block == nullptr || record.kind != SLAB_FAULT_FOREIGN, "what is foreign is in no block");
    const bool is_noted = test::has_tracking && record.block != nullptr;
    expect((record.allocated_by != nullptr) == (is_noted && is_live(block)) &&
               (record.freed_by != nullptr) == (is_noted && !is_live(block)),
           "a fault's record says who had the block");
    const ::testing::AssertionResult same = test::same_books(before, stats(), 1);
    if (!same) say("%s", same.message());
    expect(bool{same}, "a fault changes nothing but its count");
}

size_t expect_sentence(const slab_fault& record, size_t size) {
    char whole[1024], part[1024];
    std::fill(std::begin(part), std::end(part), '#');
    const size_t length = slab_fault_describe(&record, nullptr, 0);
    expect(length < sizeof whole && slab_fault_describe(&record, whole, sizeof whole) == length,
           "the length does not depend on the room");
    say("\n    %s\n", whole);
    expect(std::strlen(whole) == length && length != 0, "a sentence is as long as it is said to be");
    expect(slab_fault_describe(&record, part, size) == length, "the length does not depend on the room");
    const size_t kept = size == 0 ? 0 : std::min(size - 1, length);
    expect(std::equal(part, part + kept, whole) && (size == 0 || part[kept] == '\0'),
           "what has no room is cut off");
    expect(std::all_of(part + std::min(size, length + 1), std::end(part), [](char c) { return c == '#'; }),
           "nothing is written behind the room");
    return length;
}

// --- looking at all of it
// -----------------------------------------------------------------------------------

void CheckedHeap::check_figures() {
    const slab_stats now = stats();
    expect_at_rest();
    if (regions_.empty()) {
        slab_stats none{};
        none.failures = failures_;
        none.faults = fault_count_;
        return expect(bool{test::same_books(none, now)}, "before init all is zero but failures and faults");
    }
    const ::testing::AssertionResult agrees = model_.agrees_with(now);
    if (!agrees) say("%s", agrees.message());
    expect(bool{agrees}, "the figures are the model's");
    expect(now.failures == failures_ && now.faults == fault_count_, "failures and faults are counted");
}

void CheckedHeap::check_all() {
    const AsThread thread;
    say("slab_heap_audit\n");
    slab_audit found{};
    const int status = face_.audit(&found);
    if (found.invariant != nullptr) {
        say("%s is not true at %s", found.invariant, name(test::address_of(found.address)).c_str());
    }
    expect(status == (regions_.empty() ? SLAB_ERR_NOT_INITIALISED : SLAB_OK), "the audit passes");
    check_figures();
    for (const auto& [address, block] : live()) expect_content(address);
}

void CheckedHeap::walk(size_t frees) {
    const AsThread thread;
    struct Walk {
        std::vector<std::pair<uintptr_t, size_t>> blocks;
        size_t count;
        size_t frees;
    } walk{{}, 0, frees};
    for (const auto& [address, block] : live()) walk.blocks.emplace_back(address, block.size);
    say("slab_heap_walk");
    const auto visit = [](void* block, size_t size, void* context) {
        Walk& walk = *static_cast<Walk*>(context);
        const std::pair found{test::address_of(block), size};
        expect_no_lock();
        expect(walk.count < walk.blocks.size() && walk.blocks[walk.count] == found,
               "a walk visits the live blocks in their order");
        if (++walk.count; walk.frees == 0 || walk.count % walk.frees != 0) return;
        say(", frees %s", current_->name(found.first).c_str());
        current_->expect_content(found.first);
        {
            const GuardedMemory::Filled filled(current_->memory_, found.first);
            current_->face_.deallocate(block);
        }
        current_->freed(found.first);
    };
    face_.walk(visit, &walk);
    say("\n");
    expect_at_rest();
    expect_no_fault();
    expect(walk.count == walk.blocks.size(), "a walk visits every live block");
}

void CheckedHeap::seed(uint64_t entropy) {
    const AsThread thread;
    say("slab_heap_seed(%#jx)\n", uintmax_t{entropy});
    face_.seed(entropy);
    expect_at_rest();
    expect_no_fault();
}

void CheckedHeap::finish() {
    caller.context = CONTEXT_THREAD;
    check_all();
    expect(face_.audit(nullptr) == face_.check(), "every audit says the same");
    set_barrier(Barrier::answers);
    while (has_block()) deallocate(block(128));
    check_all();
    const size_t longest = model_.longest_run();
    plan_ = {};
    const void* const all = longest == 0 ? nullptr : allocate_pages(longest, page_size);
    expect(longest == 0 || all != nullptr, "freed pages are one run");
    if (all != nullptr) deallocate(test::address_of(all));
    check_all();
}

}  // namespace slabheap::fuzz
