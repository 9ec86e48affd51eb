// SPDX-License-Identifier: MIT
#include "player.hpp"

#include <cstring>
#include <sstream>

#include "class_set.hpp"

namespace exhaustion {

using slabheap::Layout;
using slabheap::test::class_for;
using slabheap::test::pages;
using slabheap::test::Span;

namespace {

// What the fault handler was told since it was last looked at.
size_t faults_told;
int last_fault;

void fault_handler(const slab_fault* fault) {
    ++faults_told;
    last_fault = fault->kind;
}

constexpr size_t usual_align = 16;

}  // namespace

template <class... Parts>
void Player::mismatch(Parts const&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    throw Mismatch{text.str()};
}

Player::Player(World const& world) : world_(world), memory_(pages(most_pages)) {
    heap_.set_fault_handler(fault_handler);
    for (Span const region : world.regions) {
        std::byte* const start = memory_.page(region.first);
        size_t const size = pages(region.count);
        bool const first = region.first == world.regions[0].first;
        int const status = first ? heap_.init(start, size) : heap_.add_memory(start, size);
        if (status != SLAB_OK) mismatch("a region cannot be had: ", slab_status_string(status));
        model_.add_region(region.first + HeapState::map_pages(start, size), region.first + region.count);
    }
    if (world.prepare != nullptr) world.prepare(*this);
    Span const added = world.added;
    std::byte* const start = memory_.page(added.first);
    size_t const map_pages = added.count == 0 ? 0 : HeapState::map_pages(start, pages(added.count));
    state_.emplace_back(heap_,
                        std::span(reinterpret_cast<uint64_t*>(start), pages(map_pages) / sizeof(uint64_t)));
}

void Player::list_calls(std::vector<Call>& out) const {
    out.clear();
    auto const list = [&out](Call::Kind kind, size_t which, size_t at = 0) {
        out.push_back({kind, static_cast<uint8_t>(which), static_cast<Offset>(at)});
    };
    for (size_t i = 0; i < world_.requests.size(); ++i) list(Call::allocate, i);
    for (size_t i = 0; i < world_.runs.size(); ++i) list(Call::allocate_pages, i);
    for (Block const& block : model_.live()) {
        if (block.is_kept) continue;
        list(Call::free, 0, block.start);
        list(Call::free_sized, 0, block.start);
        for (size_t i = 0; i < world_.sizes.size(); ++i) list(Call::reallocate, i, block.start);
    }
    for (size_t count = 1; count <= world_.range; ++count) {
        for (size_t page = 0; page + count <= most_pages; ++page) {
            if (!model_.is_handed_out(page) || !model_.is_handed_out(page + count - 1)) continue;
            list(Call::reserve, count, pages(page));
            list(Call::release, count, pages(page));
        }
    }
    if (world_.added.count != 0) list(Call::add, 0);
}

std::string Player::describe(Call call) const {
    std::ostringstream out;
    out << std::hex << std::showbase;
    switch (call.kind) {
        case Call::allocate:
            out << std::dec << "allocate({" << world_.requests[call.which].size << ", "
                << world_.requests[call.which].align << "})";
            break;
        case Call::allocate_pages:
            out << std::dec << "allocate_pages(" << world_.runs[call.which].pages << ", "
                << world_.runs[call.which].align << ")";
            break;
        case Call::free: out << "deallocate(" << call.at << ")"; break;
        case Call::free_sized: out << "deallocate(" << call.at << ", its layout)"; break;
        case Call::reallocate:
            out << "reallocate(" << call.at << ", {" << std::dec << world_.sizes[call.which] << ", 16})";
            break;
        case Call::reserve: out << "reserve(" << call.at << ", " << pages(call.which) << ")"; break;
        case Call::release: out << "release(" << call.at << ", " << pages(call.which) << ")"; break;
        case Call::add: out << "add_memory"; break;
    }
    return out.str();
}

void Player::make(Call call) {
    faults_told = 0;
    switch (call.kind) {
        case Call::allocate: {
            Layout const layout = world_.requests[call.which];
            bool const is_run = class_for(layout.size, layout.align) == 0;
            accept(heap_.allocate(layout), model_.capacity_for(layout.size, layout.align), is_run,
                   layout.align);
            break;
        }
        case Call::allocate_pages: {
            Run const run = world_.runs[call.which];
            accept(heap_.allocate_pages(run.pages, run.align), model_.capacity_for_run(run.pages, run.align),
                   true, run.align);
            break;
        }
        case Call::free: free_block(call.at, false); break;
        case Call::free_sized: free_block(call.at, true); break;
        case Call::reallocate: reallocate(call.at, world_.sizes[call.which]); break;
        case Call::reserve: reserve_range(call.at, call.which); break;
        case Call::release: release_range(call.at, call.which); break;
        case Call::add: add_region(); break;
    }
    expect_no_fault();
}

void Player::expect_no_fault() const {
    if (faults_told != 0) mismatch("a fault is told of right use: kind ", last_fault);
}

// The result of an allocation is what the model foretells: of this capacity (0: null), and nobody else's.
void Player::accept(void* result, size_t capacity, bool is_run, size_t align) {
    if (capacity == 0 && result == nullptr) return;
    if (capacity == 0) mismatch("a block at ", offset(result), ", although nothing fits");
    if (result == nullptr) mismatch("no block, although one of ", capacity, " bytes fits");
    if (!memory_.contains(result, capacity)) mismatch("a block outside of the memory");
    Block const block{offset(result), static_cast<uint32_t>(capacity), is_run, false};
    if (const char* const objection = model_.objection_to(block, align); objection != nullptr)
        mismatch("the block at ", block.start, " of ", capacity, " bytes: ", objection);
    if (size_t const size = heap_.usable_size(result); size != capacity)
        mismatch("a block of ", size, " bytes instead of ", capacity);
    model_.add(block);
}

void Player::free_block(Offset at, bool sized) {
    Block const block = last_freed_ = model_.block(at);
    if (!sized) {
        heap_.deallocate(pointer(at));
    } else if (block.is_run) {
        heap_.deallocate_pages(pointer(at), block.size / page_size);
    } else {
        heap_.deallocate(pointer(at), {block.size, usual_align});
    }
    if (heap_.owns(pointer(at))) mismatch("the block at ", at, " is live after it was freed");
    model_.remove(at);
}

void Player::reallocate(Offset at, size_t size) {
    Block const block = model_.block(at);
    // The content that has to stay: its first and its last word.
    size_t const kept = (size < block.size ? size : block.size) / sizeof(uint64_t) - 1;
    uint64_t* const words = static_cast<uint64_t*>(pointer(at));
    words[0] = at, words[kept] = ~uint64_t{at};
    size_t const elsewhere = model_.capacity_for(size, usual_align);
    size_t const own_class = class_for(size);
    bool const in_slot = !block.is_run && own_class != 0 && own_class <= block.size;
    size_t const run_pages = (size + page_size - 1) / page_size;
    bool const can_be = block.is_run ? model_.can_be(block, run_pages) : in_slot;
    bool const must_be = block.is_run ? run_pages <= block.size / page_size : in_slot;

    void* const result = heap_.reallocate(pointer(at), {size, usual_align});
    if (result == nullptr) {
        if (can_be || elsewhere != 0) mismatch("it is not resized, although there is room");
        if (words[0] != at || words[kept] != ~uint64_t{at}) mismatch("a failure changes the block");
        return;
    }
    uint64_t const* const moved = static_cast<uint64_t*>(result);
    if (moved[0] != at || (moved + kept)[0] != ~uint64_t{at}) mismatch("the content does not stay");
    if (result == pointer(at)) {
        if (!can_be) mismatch("it stays where it has no room");
        if (block.is_run) model_.resize(at, run_pages * page_size);
        size_t const now = block.is_run ? run_pages * page_size : block.size;
        if (heap_.usable_size(result) != now) mismatch("it has not ", now, " bytes");
    } else {
        if (must_be) mismatch("it moves, although it fits where it is");
        accept(result, elsewhere, own_class == 0, usual_align);
        model_.remove(at);
    }
}

void Player::reserve_range(Offset at, size_t count) {
    int const expected = model_.all_free(at / page_size, count) ? SLAB_OK : SLAB_ERR_IN_USE;
    int const status = heap_.reserve(pointer(at), pages(count));
    if (status != expected) mismatch("reserve says: ", slab_status_string(status));
    if (status == SLAB_OK) model_.set_reserved(at / page_size, count, true);
}

void Player::release_range(Offset at, size_t count) {
    int const expected = model_.all_reserved(at / page_size, count) ? SLAB_OK : SLAB_ERR_RANGE;
    int const status = heap_.release(pointer(at), pages(count));
    if (status != expected) mismatch("release says: ", slab_status_string(status));
    if (status == SLAB_OK) model_.set_reserved(at / page_size, count, false);
}

void Player::add_region() {
    Span const added = world_.added;
    std::byte* const start = memory_.page(added.first);
    int const status = heap_.add_memory(start, pages(added.count));
    if (status != (added_ ? SLAB_ERR_OVERLAP : SLAB_OK))
        mismatch("add_memory says: ", slab_status_string(status));
    if (added_) return;
    added_ = true;
    enter_added_region();
}

void Player::enter_added_region() {
    Span const added = world_.added;
    size_t const map_pages = HeapState::map_pages(memory_.page(added.first), pages(added.count));
    model_.add_region(added.first + map_pages, added.first + added.count);
}

size_t Player::check() {
    slab_audit found{};
    if (heap_.audit(&found) != SLAB_OK)
        mismatch("the audit says that this is not so: ", found.invariant, ", at ", found.address);
    if (heap_.used_bytes() != model_.used_bytes()) mismatch(heap_.used_bytes(), " bytes are said to be used");
    if (heap_.total_bytes() != model_.total_bytes())
        mismatch(heap_.total_bytes(), " bytes are said to be there");

    struct Walk {
        Player& player;
        size_t seen = 0;
    } walk{*this};
    heap_.walk(
        [](void* block, size_t size, void* context) {
            Walk& all = *static_cast<Walk*>(context);
            std::vector<Block> const& live = all.player.model_.live();
            if (all.seen >= live.size() || live[all.seen].start != all.player.offset(block) ||
                live[all.seen].size != size)
                mismatch("the walk visits ", size, " bytes at ", all.player.offset(block));
            ++all.seen;
        },
        &walk);
    if (walk.seen != model_.live().size()) mismatch("the walk misses a block");

    std::vector<uint64_t> scratch;
    Key const before = pack(scratch);
    size_t misuses = 0;
    auto const try_misuse = [&](size_t at) {
        misuse(static_cast<Offset>(at));
        misuses += 4;
    };
    for (Block const& block : model_.live()) {
        if (!heap_.owns(pointer(block.start))) mismatch("it does not own its block at ", block.start);
        if (block.is_kept) continue;
        try_misuse(block.start + block.size / 2);
        try_misuse(block.start + 8);
    }
    for (Offset freed : model_.freed()) try_misuse(freed);
    for (Offset never : model_.never_begun()) try_misuse(never);
    try_misuse(pages(world_.regions[0].first));  // the page map
    scratch.clear();
    if (pack(scratch) != before) mismatch("a misuse changes the heap");
    return misuses;
}

// By each call that takes a block.
void Player::misuse(Offset at) {
    int const expected = model_.verdict(at);
    void* const address = pointer(at);
    if (heap_.owns(address)) mismatch("it owns what is no block, at ", at);
    auto const expect_told = [&](const char* call, auto const& make_it) {
        faults_told = 0;
        make_it();
        if (faults_told != 1 || last_fault != expected)
            mismatch(call, " of ", at, " tells ", faults_told, " faults, the last of kind ", last_fault,
                     " instead of ", expected);
    };
    expect_told("deallocate", [&] { heap_.deallocate(address); });
    expect_told("deallocate with a layout", [&] { heap_.deallocate(address, {64, usual_align}); });
    expect_told("deallocate_pages", [&] { heap_.deallocate_pages(address, 1); });
    expect_told("reallocate", [&] { heap_.reallocate(address, {64, usual_align}); });
}

// What was freed last is handed out first.
void Player::check_last_freed() {
    if (last_freed_.is_run) return;
    void* const next = heap_.allocate({last_freed_.size, usual_align});
    if (next != pointer(last_freed_.start))
        mismatch("the next request gets ", offset(next), " instead of ", last_freed_.start,
                 ", which was freed last");
}

Offset Player::take(size_t size) {
    void* const block = heap_.allocate({size, usual_align});
    accept(block, model_.capacity_for(size, usual_align), false, usual_align);
    return offset(block);
}

Offset Player::take_pages(size_t count) {
    void* const block = heap_.allocate_pages(count);
    accept(block, model_.capacity_for_run(count, page_size), true, page_size);
    return offset(block);
}

Player::Key Player::pack(std::vector<uint64_t>& out) {
    size_t const start = out.size();
    out.push_back(added_);
    state_[0].normalise();
    state_[0].pack(out);
    size_t const history = out.size();
    model_.pack(out);
    // The live blocks follow from the heap. What was freed need not: it may have been covered since, or not.
    Key key{{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344}};
    for (size_t i = start; i < out.size(); ++i) {
        if (i == history) i += Model::words_of_history;
        key.words[0] = (key.words[0] ^ out[i]) * 0x9e37'79b9'7f4a'7c15;
        key.words[0] ^= key.words[0] >> 32;
        key.words[1] = (key.words[1] + out[i]) * 0xd6e8'feb8'6659'fd93;
        key.words[1] ^= key.words[1] >> 29;
    }
    return key;
}

void Player::restore(uint64_t const* packed) {
    if (bool const added = *packed++ != 0; added != added_) {
        added_ = added;
        added ? enter_added_region() : model_.remove_last_region();
    }
    model_.unpack(state_[0].restore(packed));
}

}  // namespace exhaustion
