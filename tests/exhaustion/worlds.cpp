// SPDX-License-Identifier: MIT
//
// The worlds. Where a heap has few enough pages, all of its states are explored: `depth` is out of reach
// then.
#include "class_set.hpp"
#include "player.hpp"

namespace exhaustion {

namespace {

using slabheap::test::by_set;
using slabheap::test::class_sizes;

constexpr size_t smallest = class_sizes[0];
constexpr size_t third = by_set(1024, 1344);  // four slots a page; three, and a rest
constexpr size_t word_bits = sizeof(uintptr_t) * 8;
constexpr size_t to_the_end = 1000;
constexpr size_t to_the_end_once = by_set(to_the_end, 6);  // one class set will do

// Takes pages for good until so many are left side by side.
void leave_pages(Player& player, size_t left) {
    while (player.model().capacity_for_run(left + 1, page_size) != 0) player.take_pages(1);
    player.keep_all();
}
template <size_t left>
void leave(Player& player) {
    leave_pages(player, left);
}

// The front of the smallest class has two slots left in its word.
void use_up_a_word(Player& player) {
    for (size_t i = 0; i < word_bits - 2; ++i) player.take(smallest);
    leave_pages(player, 2);
}

// Its stack has room for one more block, three are live.
void fill_a_small_stack(Player& player) {
    std::vector<Offset> blocks;
    for (size_t i = 0; i < 49; ++i) blocks.push_back(player.take(smallest));
    for (size_t i = 0; i < 46; ++i) player.give(blocks[i]);
}

// The stack of the class of one slot a page is full, three more blocks are live.
void fill_a_stack(Player& player) {
    std::vector<Offset> blocks;
    for (size_t i = 0; i < 11; ++i) blocks.push_back(player.take(4096));
    for (size_t i = 0; i < 8; ++i) player.give(blocks[i]);
}

World const all[] = {
    {.name = "all-calls",
     .shows = "every call, on the smallest heap",
     .regions = {{0, 8}},
     .requests = {{smallest}, {2048}, {4096}},
     .runs = {{1}, {2}, {3}},
     .sizes = {100, 5000},
     .range = 1,
     .depth = by_set(6, 5)},
    {.name = "runs",
     .shows = "runs of one to three pages, aligned to more than a page, too",
     .regions = {{0, 8}},
     .runs = {{1}, {2}, {3}, {1, 8192}},
     .depth = to_the_end_once},
    {.name = "runs-and-slabs",
     .shows = "runs and slabs of one slot in five pages",
     .regions = {{0, 8}},
     .requests = {{4096}},
     .runs = {{1}, {2}, {3}},
     .prepare = leave<5>,
     .depth = to_the_end_once},
    {.name = "slabs-of-one-slot",
     .shows = "slabs that go back to the pages, in seven pages",
     .regions = {{0, 8}},
     .requests = {{4096}},
     .depth = to_the_end_once},
    {.name = "slots",
     .shows = "two classes and runs in three pages",
     .regions = {{0, 8}},
     .requests = {{2048}, {4096}},
     .runs = {{1}, {2}},
     .prepare = leave<3>,
     .depth = to_the_end_once},
    {.name = "classes",
     .shows = "three classes that want the same page",
     .regions = {{0, 8}},
     .requests = {{third}, {2048}, {100, 4096}},
     .runs = {{1}},
     .sizes = {1, 4096},
     .prepare = leave<1>,
     .depth = to_the_end},
    {.name = "larger-classes",
     .shows = "slots of larger classes help out in two pages",
     .regions = {{0, 8}},
     .requests = {{third}, {1000, 1024}, {2048}, {4096}},
     .prepare = leave<2>,
     .depth = 9},
    {.name = "resizing",
     .shows = "blocks that grow, shrink and move in five pages",
     .regions = {{0, 8}},
     .runs = {{1}},
     .sizes = {3000, 2 * page_size, 3 * page_size},
     .prepare = leave<5>,
     .depth = to_the_end},
    {.name = "ranges",
     .shows = "ranges of up to three pages, reserved and released between blocks in five pages",
     .regions = {{0, 8}},
     .requests = {{4096}},
     .runs = {{2}},
     .range = 3,
     .prepare = leave<5>,
     .depth = to_the_end_once},
    {.name = "word",
     .shows = "the end of a front's word, and the next one",
     .regions = {{0, 8}},
     .requests = {{smallest}, {4096}},
     .runs = {{1}},
     .prepare = use_up_a_word,
     .depth = 9},
    {.name = "small-stack",
     .shows = "a stack of small slots that overflows",
     .regions = {{0, 8}},
     .requests = {{smallest}, {4096}},
     .prepare = fill_a_small_stack,
     .depth = 7},
    {.name = "full-stack",
     .shows = "a stack that overflows, spares, pages that go back",
     .regions = {{0, 16}},
     .requests = {{4096}, {2048}},
     .runs = {{1}},
     .prepare = fill_a_stack,
     .depth = 7},
    {.name = "two-regions",
     .shows = "blocks of a region that the primary view does not know hide fronts",
     .regions = {{8, 8}, {0, 3}},
     .requests = {{4096}, {2048}},
     .runs = {{2}},
     .prepare = leave<3>,
     .depth = 10},
    {.name = "primary-changes",
     .shows = "a larger region is added, whose blocks go the short way from then on",
     .regions = {{0, 8}},
     .added = {8, 9},
     .requests = {{4096}, {2048}},
     .runs = {{2}},
     .prepare = leave<2>,
     .depth = 8},
};

}  // namespace

std::span<World const> worlds() { return all; }

}  // namespace exhaustion
