// SPDX-License-Identifier: MIT
//
// The harness "raw": every call with any arguments: addresses from anywhere, sizes, alignments, ranges,
// statuses and records of all kinds. Nothing but the documented result or a fault report may come out.
#include "checked_heap.hpp"
#include "input.hpp"
#include "trace.hpp"

#include <bit>
#include <cstring>

namespace slabheap::fuzz {
namespace {

using test::address_of;
using Way = CheckedHeap::Way;

constexpr size_t memory_pages = 256;

class Raw {
public:
    Raw(GuardedMemory& memory, Input input)
        : memory_(memory),
          input_(input),
          is_c_(input_.byte() % 2 != 0),
          heap_(is_c_ ? new_c_heap() : new_heap(), memory, static_cast<int>(input_.byte())) {
        memory_.renew(memory_pages);
    }

    void run() {
        for (size_t i = 1; !input_.ended(); ++i) {
            call();
            if (i % 16 == 0) heap_.check_all();
        }
        heap_.finish();
    }

private:
    void call() {
        switch (input_.below(24)) {
            case 0: return on_a_range([this](auto... range) { heap_.init(range...); });
            case 1: return on_a_range([this](auto... range) { heap_.add_memory(range...); });
            case 2: return on_a_range([this](auto... range) { heap_.reserve(range...); });
            case 3: return on_a_range([this](auto... range) { heap_.release(range...); });
            case 4: return add_many_regions();
            case 5: heap_.allocate(layout(), Way::plain); return;
            case 6:
                heap_.allocate(heap_.is_c() ? Layout{number(), 16} : layout(), Way::zeroed, count());
                return;
            case 7: heap_.allocate(layout(), heap_.is_c() ? Way::attempt : Way::plain); return;
            case 8:
            case 9: return allocate_many();
            case 10: heap_.allocate_pages(number(), align()); return;
            case 11:
            case 12: return heap_.reallocate(address(), layout());
            case 13:
            case 14: return heap_.deallocate(address());
            case 15: return heap_.deallocate(address(), layout());
            case 16: return heap_.deallocate_pages(address(), number());
            case 17: return heap_.usable_size(address());
            case 18: return heap_.owns(address());
            case 19: return heap_.usable_size(layout());
            case 20: return set_cpus();
            case 21: return describe();
            case 22: return statuses();
            case 23: return heap_.walk(input_.byte());
        }
    }

    // Of up to eight bytes.
    uintptr_t number() {
        const size_t kind = input_.byte();
        const uintptr_t value = input_.number(static_cast<unsigned>(kind % 8 + 1));
        return kind < 128 ? value : 0 - value;
    }
    size_t count() { return heap_.is_c() ? number() : 1; }
    size_t align() {
        const size_t kind = input_.byte();
        return kind < 192 ? size_t{1} << kind % 64 : number();
    }
    Layout layout() {
        const size_t size = number();
        return {size, align()};
    }
    uintptr_t address() {
        const uintptr_t start = address_of(memory_.page(0));
        switch (input_.below(6)) {
            case 0: return heap_.block(input_.byte());
            case 1: return heap_.block(input_.byte()) + number();
            case 2: return start + input_.number(3) % memory_.size();
            case 3: return start + pages(input_.byte());
            case 4: return start + number();
            default: return number();
        }
    }

    // Most are of pages, in the memory.
    template <class Call>
    void on_a_range(Call call) {
        const uintptr_t start = address();
        const size_t kind = input_.byte();
        const size_t size = kind < 64 ? pages(8 * kind) : kind < 192 ? pages(kind - 64) : number();
        call(kind % 4 == 0 ? start : start & ~(page_size - 1), size);
    }
    void add_many_regions() {
        size_t page = input_.byte();
        for (size_t count = input_.byte() % 80; count-- != 0; page += 3) {
            heap_.add_memory(address_of(memory_.page(page % memory_pages)), pages(2));
        }
    }
    void allocate_many() {
        const Layout layout{input_.size(), input_.align()};
        for (size_t count = input_.byte(); count-- != 0 && heap_.allocate(layout, Way::plain) != nullptr;) {
        }
    }
    void set_cpus() {
        const size_t count = number(), size = number();
        slab_cpu_memory(count);
        const size_t kind = input_.byte();
        const size_t cpus = kind < 64 ? kind % 8 : count;
        heap_.set_cpus(cpus, kind % 4 == 0 ? address() : CheckedHeap::cpu_memory() + input_.byte(),
                       kind % 8 < 6 ? slab_cpu_memory(cpus) : size);
        heap_.set_barrier(static_cast<CheckedHeap::Barrier>(kind % 3));
    }

    // Any record: of a kind that the type can have.
    void describe() {
        constexpr const char* calls[] = {"slab_free", "slab_realloc", "", "%s%p%n"};
        slab_fault record{};
        record.kind =
            static_cast<slab_fault_kind>(input_.below(std::bit_ceil(SLAB_FAULT_WRITE_AFTER_FREE + 1u)));
        record.address = reinterpret_cast<const void*>(number());
        record.block = reinterpret_cast<const void*>(number());
        record.block_size = number();
        record.size = number();
        record.align = number();
        record.caller = reinterpret_cast<const void*>(number());
        record.call = calls[input_.below(std::size(calls))];
        for (unsigned char& byte : record.found) byte = static_cast<unsigned char>(input_.byte());
        expect_sentence(record, 2 * input_.byte());
    }

    void statuses() {
        const int status = static_cast<int>(number());
        const char* const sentence = slab_status_string(status);
        say("slab_status_string(%d) = %s\n", status, sentence);
        const bool is_known = status <= SLAB_OK && status >= SLAB_ERR_CORRUPT;
        expect(is_known == (std::strcmp(sentence, "unknown status") != 0), "every status has its sentence");
    }

    GuardedMemory& memory_;
    Input input_;
    bool is_c_;
    CheckedHeap heap_;
};

}  // namespace
}  // namespace slabheap::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    using namespace slabheap::fuzz;
    static GuardedMemory memory(memory_pages);
    Raw(memory, Input(bytes, size)).run();
    return 0;
}
