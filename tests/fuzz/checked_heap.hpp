// SPDX-License-Identifier: MIT
//
// A heap each of whose calls is held against the plain model of the random test, whatever the arguments: the
// result, the fault that is reported or that none is, what the hook is asked, whose memory is touched. Both
// harnesses are sequences of these calls; the first thing that is not as the model says aborts the program.
//
// A request that fits must not fail, with two exceptions: slab_try_alloc, and calls that cannot have back
// what other CPUs have in their fronts, because they come in an NMI or no barrier hook answers.
//
// It knows from the options that the library was built with what defences change (built_defences.hpp): how
// much of a block may be used, and that what was written where nobody may write is told, as soon as it has to
// be.
#ifndef SLABHEAP_FUZZ_CHECKED_HEAP_HPP
#define SLABHEAP_FUZZ_CHECKED_HEAP_HPP

#include "cpus.hpp"
#include "face.hpp"
#include "guarded_memory.hpp"
#include "heap_model.hpp"

#include <bitset>
#include <optional>
#include <string>
#include <vector>

namespace slabheap::fuzz {

using test::HeapModel;

// What the out-of-memory hook does when it is asked.
struct OomPlan {
    bool tries_again = false;
    size_t frees = 0;              // so many blocks
    bool frees_the_block = false;  // also the one that is being resized
    size_t page = 0, pages = 0;    // adds so many pages of the memory, from this one on
};

class CheckedHeap {
public:
    // The heap's regions lie in the memory; what their page maps find there are bytes of `garbage`.
    CheckedHeap(Face& face, GuardedMemory& memory, int garbage);
    ~CheckedHeap() { current_ = nullptr; }
    CheckedHeap(const CheckedHeap&) = delete;
    CheckedHeap& operator=(const CheckedHeap&) = delete;

    // A call that ought to succeed is only made when its range lies in the memory; of CPUs, in cpu_memory.
    void init(uintptr_t start, size_t size);
    void add_memory(uintptr_t start, size_t size);
    void set_cpus(size_t count, uintptr_t memory, size_t size);
    static uintptr_t cpu_memory();

    enum class Way { plain, zeroed, attempt };
    void* allocate(Layout layout, Way way, size_t count = 1);
    void* allocate_pages(size_t count, size_t align);
    void reallocate(uintptr_t address, Layout layout);
    void deallocate(uintptr_t address);
    void deallocate(uintptr_t address, Layout layout);
    void deallocate_pages(uintptr_t address, size_t count);
    void usable_size(uintptr_t address);
    void usable_size(Layout layout);
    void owns(uintptr_t address);
    void reserve(uintptr_t start, size_t size);
    void release(uintptr_t start, size_t size);
    // Frees every n-th block that it visits; 0: none.
    void walk(size_t frees);
    void seed(uint64_t entropy);

    // Writes into a block's slack, where a canary is, and frees the block, or resizes it where it is.
    enum class End { free, free_sized, resize };
    void overflow(uintptr_t address, size_t skip, size_t count, End end);
    // Writes a byte of the slot that was freed last, which is told if it is handed out as it is.
    void write_after_free(size_t offset);

    // The figures; and all that there is to see: each block's content, and the audit.
    void check_figures();
    void check_all();
    // Frees all blocks: then all memory is whole again.
    void finish();

    void plan(OomPlan plan) { plan_ = plan; }
    enum class Barrier { none, refuses, answers };
    void set_barrier(Barrier barrier);

    std::map<uintptr_t, HeapModel::Block>& live() { return model_.live(); }
    bool has_block() { return !live().empty(); }
    // A live block, by a fraction of 256 of their number; 0: there is none.
    uintptr_t block(size_t fraction);
    uintptr_t freed_last() const { return freed_last_; }
    size_t alignment(uintptr_t block) const { return model_.alignment(block); }
    // In pages: how long a large block can be where it is; the longest one that can be had.
    size_t longest_at(uintptr_t block) const { return model_.longest_at(block); }
    size_t longest_run() const { return model_.longest_run(); }
    bool is_c() const { return face_.is_c(); }
    size_t cpus() const { return cpus_; }

private:
    struct Region {
        uintptr_t start;
        size_t size;
    };

    // A call that is to give a block, and what the hook made of it.
    struct Request {
        Layout layout;
        bool is_run = false;
        bool attempt = false;
        uintptr_t resized = 0;  // the block that it is to resize
        bool gathers = false;   // before it fails, all is gathered, and the hook asked
        bool surely = false;    // all that is free is found
        size_t asked = 0;       // so often the hook was
        bool answered = false;  // and it said that it may be tried again
    };
    struct Passed {
        const char* call;
        uintptr_t address;
        size_t size, align;
    };

    // Bytes that somebody wrote, and how that is told.
    struct Damage {
        slab_fault_kind kind;
        const char* call;
        uintptr_t at, block;
        size_t block_size, size;
        unsigned char found[sizeof slab_fault::found];
    };

    static void on_fault(const slab_fault* fault);
    static int on_oom(size_t size, size_t align) { return current_->run_out(size, align); }
    static int on_barrier();
    int run_out(size_t size, size_t align);

    int status_of_init(uintptr_t start, size_t size) const;
    int status_of_add(uintptr_t start, size_t size) const;
    int status_of_range(uintptr_t start, size_t size) const;
    void expect_status(int status, int expected);
    template <class Call>
    void take_region(uintptr_t start, size_t size, int expected, Call call);

    bool is_possible(Layout layout) const;
    bool may_wait() const;
    bool can_stay(const Request& request);
    bool fits(const Request& request);
    template <class Call>
    void* result_of(Request& request, Call call);
    void expect_result(const Request& request, const void* result);
    size_t real_size(const Request& request, const void* result);
    void took(const Request& request, const void* result);

    bool could_have(uintptr_t address, Layout layout);
    template <class Call>
    void free(const Passed& passed, bool is_right, Call call);
    void freed(uintptr_t address);

    static void fill(uintptr_t address, size_t size, uint64_t pattern);
    static bool is_filled(uintptr_t address, size_t size, uint64_t pattern);
    void expect_content(uintptr_t address);
    void expect_no_copy_behind(uintptr_t address, size_t size, const HeapModel::Block& old);
    static Damage damage_at(uintptr_t at, uintptr_t block, size_t block_size);
    void expect_damage(const Damage& damage);
    void expect_told_writes(const void* result);

    // The call is a fault, and changes nothing.
    template <class Call>
    void expect_fault(const Passed& passed, bool wrong_size, Call call) {
        const slab_stats before = stats();
        call();
        expect_one_fault(passed, wrong_size, before);
    }
    void expect_one_fault(const Passed& passed, bool wrong_size, const slab_stats& before);
    void expect_no_fault();
    slab_stats stats();

    bool is_live(uintptr_t address) const { return model_.verdict(address).kind == 0; }
    std::string name(uintptr_t address);
    static void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

    static inline CheckedHeap* current_ = nullptr;

    Face& face_;
    GuardedMemory& memory_;
    int garbage_;
    HeapModel model_;
    std::vector<Region> regions_;
    std::vector<slab_fault> faults_;
    Request* request_ = nullptr;
    OomPlan plan_;
    std::optional<Damage> damage_;    // that the call has to tell
    std::optional<Damage> written_;   // of a free slot
    bool is_surely_written_ = false;  // its slab was not set up anew since
    Barrier barrier_ = Barrier::none;
    size_t cpus_ = 1;
    std::bitset<SLAB_MAX_CPUS> callers_;  // CPUs whose fronts may have something
    size_t failures_ = 0;
    size_t fault_count_ = 0;
    // Of the heap and, in the lower half, of the block handed out last: its content, and its name. What heaps
    // before have left in the memory is none of this one's content.
    static inline uint64_t heaps_ = 0;
    uint64_t serial_ = ++heaps_ << 32;
    static uintmax_t number(uint64_t serial) { return serial & UINT32_MAX; }
    uintptr_t freed_last_ = 0;
};

// The length of a fault's sentence, which is written whole and to so much room.
size_t expect_sentence(const slab_fault& record, size_t size);

}  // namespace slabheap::fuzz

#endif
