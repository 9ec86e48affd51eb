// SPDX-License-Identifier: MIT
//
// The buddy allocator in every state of small regions: each pattern of free and taken pieces, a piece being a
// page, half a section, or more, so that borders of words, nodes and levels lie among them. From each state
// every allocation, search, take and give. Its words must be what the pattern makes them, which is one thing
// only: a split and a merge that are not exact show at once.
//
// The oracle has one flag a page and loops; it shares nothing with the bit operations but the definition.
#include "buddy.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::end_of_pages;
using test::Mapped;

constexpr Word w = word_bits, v = word_bits * w, u = word_bits * v;  // pages of a node of level 0, 1, 2

// Pieces of so many pages, side by side.
struct World {
    const char* name;
    Word first;
    Word piece;
    unsigned pieces;
    unsigned root;  // that the region must have

    Word end() const { return first + pieces * piece; }
};

void PrintTo(World const& world, std::ostream* out) { *out << world.name; }

World const worlds[] = {
    {"PagesInAWord", w, 1, 9, 1},
    {"PagesAcrossAWord", w - 5, 1, 10, 1},
    {"PagesBelowTheTopOfTheAddressSpace", end_of_pages - 9, 1, 9, 1},
    {"QuartersOfSections", 3 * w - w / 4, w / 4, 9, 1},
    {"HalfSectionsAcrossTheRootsNodes", v - 2 * w, w / 2, 8, 1},
    {"SectionsAcrossTheRootsNodes", v - 3 * w, w, 7, 1},
    {"HalfNodesOfLevelOne", v, v / 2, 5, 2},
    {"NodesOfLevelOneAcrossTheRootsNodes", u - 2 * v, v, 4, 2},
};

// What the free pages make of the region's words: a free unit is told once, as high as can be.
class Expected {
public:
    struct Node {
        unsigned level;
        Word number;
        Word units;
        unsigned order;  // of the largest block in it, which starts at a multiple of its size
    };

    Expected(Buddy const& buddy, std::vector<bool> const& free) {
        Word const first = buddy.first_page;
        std::vector<Word> full;  // nodes of the level that are wholly free
        for (unsigned level = 0; level <= buddy.root; ++level) {
            std::vector<Word> units;
            units.swap(full);
            if (level == 0) {
                for (Word i = 0; i < free.size(); ++i) {
                    if (free[i]) units.push_back(first + i);
                }
            }
            for (size_t i = 0; i < units.size();) {
                Word const node = units[i] >> word_shift;
                Word word = 0;
                for (; i < units.size() && units[i] >> word_shift == node; ++i) word |= bit_of(units[i]);
                if (word == all_ones && level != buddy.root) {
                    full.push_back(node);
                } else {
                    nodes_.push_back({level, node, word, level * word_shift + largest_order(word)});
                }
            }
        }
    }

    // Nodes with free units, by level and number.
    std::vector<Node> const& nodes() const { return nodes_; }
    Node const* node(unsigned level, Word number) const {
        for (Node const& node : nodes_) {
            if (node.level == level && node.number == number) return &node;
        }
        return nullptr;
    }

    // Is there a free block of the order, within the word, that starts at this unit?
    static bool has_block(Word word, unsigned order, unsigned first) {
        for (unsigned i = 0; i < 1u << order; ++i) {
            if ((word >> (first + i) & 1) == 0) return false;
        }
        return true;
    }
    static unsigned largest_order(Word word) {
        for (unsigned order = word_shift; order != 0; --order) {
            for (unsigned i = 0; i < word_bits; i += 1u << order) {
                if (has_block(word, order, i)) return order;
            }
        }
        return 0;
    }

    // The block that is to be used for 2^order pages: of the words whose largest block will do, that with the
    // smallest one, the lowest of these; in it the smallest block that will do, the lowest of these.
    Word best_block(unsigned order) const {
        Node const* best = nullptr;
        for (Node const& node : nodes_) {
            if (node.order >= order && (best == nullptr || node.order < best->order)) best = &node;
        }
        if (best == nullptr) return Buddy::none;
        unsigned const shift = best->level * word_shift;
        for (unsigned in_word = order > shift ? order - shift : 0;; ++in_word) {
            for (unsigned i = 0; i < word_bits; i += 1u << in_word) {
                if (!has_block(best->units, in_word, i)) continue;
                unsigned const pair = i & ~((2u << in_word) - 1);
                if (in_word < word_shift && has_block(best->units, in_word + 1, pair)) continue;
                return ((best->number << word_shift) + i) << shift;
            }
        }
    }

private:
    std::vector<Node> nodes_;
};

class EveryBuddy : public ::testing::TestWithParam<World> {
protected:
    EveryBuddy() : buddy_(world().first, world().end()), free_(world().end() - world().first) {}

    World const& world() const { return GetParam(); }
    Word begin_of(unsigned piece) const { return world().first + piece * world().piece; }
    PageRange pieces(unsigned first, unsigned end) const { return {begin_of(first), begin_of(end)}; }
    // Pages that tell of all: of a large piece the outermost, and some within.
    std::vector<Word> counts() const {
        if (world().piece == 1) return {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        Word const p = world().piece, all = p * world().pieces;
        return {1, 2, p / 2, p - 1, p, p + 1, 2 * p - 1, 2 * p, 2 * p + p / 2, 3 * p, 4 * p, 4 * p + 1, all};
    }

    bool all_are(bool free, PageRange pages) const {
        for (Word page = pages.first; page < pages.end; ++page) {
            if (free_[page - world().first] != free) return false;
        }
        return true;
    }
    void mark(PageRange pages, bool free) {
        for (Word page = pages.first; page < pages.end; ++page) free_[page - world().first] = free;
    }

    // The lowest run, by trying each start.
    Word lowest_run(Word count, Word align) const {
        std::vector<Word> run(free_.size() + 1);  // free pages from there on
        for (size_t i = free_.size(); i-- > 0;) run[i] = free_[i] ? run[i + 1] + 1 : 0;
        for (Word page = (world().first + align - 1) / align * align; page < world().end(); page += align) {
            if (run[page - world().first] >= count) return page;
        }
        return Buddy::none;
    }

    void take(PageRange pages) {
        buddy_->take(pages);
        mark(pages, false);
        ASSERT_TRUE(is_canonical()) << "after taking " << pages.first << " ... " << pages.end;
    }
    void give(PageRange pages) {
        buddy_->open_edges(pages);
        buddy_->give(pages);
        mark(pages, true);
        ASSERT_TRUE(is_canonical()) << "after giving " << pages.first << " ... " << pages.end;
    }

    // Every word of every open node, the order mask and the count are what the free pages make them.
    bool is_canonical() {
        Expected const expected(*buddy_, free_);
        size_t found = 0;
        Word orders = 0, pages = 0;
        for (Expected::Node const& node : expected.nodes()) {
            orders |= bit(node.order);
            pages += Word{popcount(node.units)} << (node.level * word_shift);
        }
        if (buddy_->order_mask() != orders || buddy_->free_pages() != pages) return false;
        for (unsigned level = buddy_->root + 1; level-- > 0;) {
            for (Word node = buddy_->first_node(level); node <= buddy_->last_node(level); ++node) {
                if (!buddy_->is_open(level, node)) continue;
                Expected::Node const* const it = expected.node(level, node);
                found += it != nullptr;
                Word const* const words = buddy_->words(level, node);
                if (words[column::free_units] != (it == nullptr ? 0 : it->units)) return false;
                if (words[column::entered] != (it == nullptr ? 0 : it->order + 1)) return false;
                if (level != 0 && !orders_are_right(expected, level, node)) return false;
            }
        }
        return found == expected.nodes().size();  // none of them is closed
    }

    // The columns of a node that tell of each order which nodes below have it.
    bool orders_are_right(Expected const& expected, unsigned level, Word number) {
        for (unsigned order = 0; order < level * word_shift; ++order) {
            Word word = 0;
            for (Expected::Node const& node : expected.nodes()) {
                if (node.order != order || node.level >= level) continue;
                Word const child = node.number >> (word_shift * (level - 1 - node.level));
                if (child >> word_shift == number) word |= bit_of(child);
            }
            if (buddy_->word(level, number, column::orders + order) != word) return false;
        }
        return true;
    }

    void ask_everything() {
        Expected const expected(*buddy_, free_);
        Word largest = 0;
        for (Expected::Node const& node : expected.nodes()) largest = std::max(largest, bit(node.order));
        ASSERT_EQ(largest, buddy_->largest_block());
        for (unsigned i = 0; i < world().pieces; ++i) {
            for (unsigned j = i + 1; j <= world().pieces; ++j)
                ASSERT_EQ(all_are(true, pieces(i, j)), buddy_->is_free(pieces(i, j))) << i << " ... " << j;
            for (Word page : {begin_of(i), begin_of(i) + world().piece / 3, begin_of(i + 1) - 1}) {
                Buddy::Extent const piece = buddy_->extent(page);
                ASSERT_TRUE(piece.end > page && piece.end <= world().end());
                ASSERT_TRUE(all_are(piece.free, {page, piece.end})) << page << " ... " << piece.end;
            }
        }
        for (Word count : counts()) {
            for (Word align = 1; align <= 4 * world().piece; align *= 2) {
                Word const run = lowest_run(count, align);
                ASSERT_EQ(run, buddy_->search(count, align)) << count << " aligned to " << align;
                for (unsigned most : {1u, 2u}) {  // in steps
                    Word from = world().first, found = Buddy::none;
                    while (found == Buddy::none && from < world().end())
                        found = buddy_->search(count, align, from, most);
                    ASSERT_EQ(run, found) << count << " aligned to " << align << ", in steps of " << most;
                }
            }
        }
    }

    void allocate_everything() {
        for (Word count : counts()) {
            unsigned const most = order_of(world().end() - world().first) + 1;
            for (unsigned order = order_of(count); order <= most; ++order) {
                Word const page = Expected(*buddy_, free_).best_block(order);
                ASSERT_EQ(page, buddy_->allocate(count, order)) << count << " pages of order " << order;
                if (page == Buddy::none) continue;
                PageRange const pages{page, page + count};
                mark(pages, false);
                ASSERT_TRUE(is_canonical()) << "after allocating " << count << " pages of order " << order;
                give_back(pages);
                if (HasFatalFailure()) return;
            }
        }
    }

    // As they were allocated: without opening anything.
    void give_back(PageRange pages) {
        if (pages.count() == 1) {
            buddy_->give_page(pages.first);
        } else {
            buddy_->give(pages);
        }
        mark(pages, true);
        ASSERT_TRUE(is_canonical()) << "after giving " << pages.count() << " pages back";
    }

    // Each range that is free is taken and given, each that is taken the other way round.
    void change_everything() {
        for (unsigned i = 0; i < world().pieces; ++i) {
            for (unsigned j = i + 1; j <= world().pieces; ++j) {
                if (all_are(true, pieces(i, j))) {
                    take(pieces(i, j));
                    give(pieces(i, j));
                } else if (all_are(false, pieces(i, j))) {
                    give(pieces(i, j));
                    take(pieces(i, j));
                }
            }
        }
    }

    Mapped<Buddy> buddy_;
    std::vector<bool> free_;
};

TEST_P(EveryBuddy, SplitsAndMergesExactlyAndFindsWhatThereIs) {
    ASSERT_EQ(world().root, buddy_->root);
    ASSERT_TRUE(is_canonical());
    unsigned const states = 1u << world().pieces;
    for (unsigned state = 0;; ++state) {
        ask_everything();
        allocate_everything();
        change_everything();
        if (HasFatalFailure()) FAIL() << "in the state number " << state;
        if (state + 1 == states) break;
        // On to the next one in the order of Gray's code: one piece changes.
        unsigned const piece = lowest_bit(state + 1);
        PageRange const changed = pieces(piece, piece + 1);
        all_are(true, changed) ? take(changed) : give(changed);
    }
    EXPECT_TRUE(buddy_.end_is_intact());
}

INSTANTIATE_TEST_SUITE_P(Buddy, EveryBuddy, ::testing::ValuesIn(worlds),
                         [](auto const& world) { return std::string(world.param.name); });

}  // namespace
}  // namespace slabheap
