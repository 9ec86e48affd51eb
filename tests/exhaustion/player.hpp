// SPDX-License-Identifier: MIT
//
// Player: makes calls on the heap of a world, and holds each result and each state against the model.
#ifndef EXHAUSTION_PLAYER_HPP
#define EXHAUSTION_PLAYER_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "heap_state.hpp"
#include "model.hpp"
#include "test_memory.hpp"
#include "world.hpp"

namespace exhaustion {

// One call. `which` is a request, run or size of the world, or a number of pages.
struct Call {
    enum Kind : uint8_t { allocate, allocate_pages, free, free_sized, reallocate, reserve, release, add };
    Kind kind;
    uint8_t which;
    Offset at;  // block, or start of a range
};

// What is not as it must be.
struct Mismatch {
    std::string what;
};

class Player {
public:
    explicit Player(World const& world);

    // All calls that can be made now.
    void list_calls(std::vector<Call>& out) const;
    void make(Call call);
    std::string describe(Call call) const;

    // Audit, walk and figures agree with the model; every misuse is told, and changes nothing. Returns how
    // many misuses there are.
    size_t check();
    // The call just made freed a block: if it was a slot, the next request of its class gets that.
    void check_last_freed();

    // What decides all that follows, to be stored and brought back; and what tells it apart.
    struct Key {
        uint64_t words[2];
        bool operator==(Key const&) const = default;
    };
    Key pack(std::vector<uint64_t>& out);
    void restore(uint64_t const* packed);
    Model const& model() const { return model_; }

    // For preparations: allocates, and gives the block's place.
    Offset take(size_t size);
    Offset take_pages(size_t count);
    void give(Offset block) { free_block(block, false); }
    // What is live now is never freed by a sequence.
    void keep_all() { model_.keep_all(); }

private:
    template <class... Parts>
    [[noreturn]] static void mismatch(Parts const&... parts);

    Offset offset(const void* block) const {
        using slabheap::test::address_of;
        return static_cast<Offset>(address_of(block) - address_of(memory_.start()));
    }
    void* pointer(Offset at) const { return memory_.start() + at; }

    void accept(void* result, size_t capacity, bool is_run, size_t align);
    void reallocate(Offset at, size_t size);
    void free_block(Offset at, bool sized);
    void reserve_range(Offset at, size_t pages);
    void release_range(Offset at, size_t pages);
    void add_region();
    void enter_added_region();
    void misuse(Offset at);
    void expect_no_fault() const;

    World const& world_;
    slabheap::test::TestMemory memory_;
    slabheap::Heap heap_;
    Model model_;
    bool added_ = false;
    Block last_freed_{};
    std::vector<HeapState> state_;  // one, made when the world is prepared
};

}  // namespace exhaustion

#endif
