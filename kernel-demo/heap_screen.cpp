// SPDX-License-Identifier: MIT
//
//     row  0       title
//          1 - 13  the map, 54 x 12 cells; beside it the size classes and the legend
//         14 - 17  figures, three by three
//         18 - 23  the workload's last call, and what the last key did
//         24       keys
#include "heap_screen.hpp"

#include "canvas.hpp"
#include "controls.hpp"
#include "machine.h"
#include "print.h"
#include "show.hpp"

namespace demo {

namespace {

constexpr unsigned rows = 25;
constexpr unsigned columns = 80;
constexpr unsigned map_top = 2;
constexpr unsigned map_left = 1;
constexpr unsigned map_rows = 12;
constexpr unsigned map_columns = 54;
constexpr unsigned side = map_left + map_columns + 1;  // what stands beside the map
constexpr unsigned figures_top = 15;
constexpr unsigned events_top = 19;
constexpr unsigned keys_row = rows - 1;
static_assert(map_rows * map_columns <= HeapMap::most_cells);

constexpr Style plain{Colour::text};
constexpr Style label{Colour::faint};
constexpr Style line{Colour::line};
constexpr Style strong{Colour::bright};
constexpr char16_t fill_of_quarter[] = {u'░', u'▒', u'▓', u'█'};

// A number in groups of three digits.
struct Grouped {
    char text[28];
};
Grouped grouped(size_t number) {
    char digits[24];
    Grouped result;
    size_t length = print_to(digits, sizeof digits, "%zu", number);
    size_t out = 0;
    for (size_t i = 0; i < length; i++) {
        if (i != 0 && (length - i) % 3 == 0) result.text[out++] = ',';
        result.text[out++] = digits[i];
    }
    result.text[out] = '\0';
    return result;
}

void rule(unsigned row, char16_t left, char16_t right) {
    canvas::put(row, 0, left, line);
    canvas::fill(row, 1, columns - 2, u'─', line);
    canvas::put(row, columns - 1, right, line);
}

void draw_keys() {
    constexpr Style key{Colour::bright, Colour::bar};
    constexpr Style word{Colour::text, Colour::bar};
    canvas::fill(keys_row, 0, columns, u' ', word);
    unsigned column = 1;
    for (const Command& command : commands) {
        canvas::write(keys_row, column + 1, word, "%s", command.name);
        for (unsigned i = 0; command.name[i] != '\0'; i++) {
            if (command.name[i] == command.key) {
                canvas::put(keys_row, column + 1 + i, static_cast<char16_t>(command.key - 'a' + 'A'), key);
                break;
            }
        }
        column += 11;
    }
}

Style style_of(size_t user, size_t class_count) {
    if (user == HeapMap::nothing) return {Colour::faint};
    if (user == HeapMap::large) return {Colour::large};
    if (user == HeapMap::page_map) return {Colour::page_map};
    return {class_colour(user, class_count)};
}

}  // namespace

HeapScreen::HeapScreen(const boot_info& boot, HeapMap& map)
    : boot_(boot), map_(map), is_there_(canvas::open(rows, columns)) {}

HeapScreen::~HeapScreen() {
    if (is_there_) canvas::close();
}

// The smallest cells, in whole pages, of which these are enough.
size_t HeapScreen::cell_bytes_for(size_t cells) const {
    size_t pages = (stats_.total_bytes + stats_.metadata_bytes) / SLAB_PAGE_SIZE / cells;
    for (size_t needed = cells + 1; needed > cells;) {
        pages++;
        needed = 0;
        for (const boot_range* range = boot_.ranges; range != nullptr; range = range->next) {
            if (is_region(range)) needed += HeapMap::cells_of(*range, pages * SLAB_PAGE_SIZE);
        }
    }
    return pages * SLAB_PAGE_SIZE;
}

void HeapScreen::draw(const char* last_call, const char* answer) {
    if (!is_there_) return;
    slab_heap_stats(&stats_);
    map_.start(cell_bytes_for(map_rows * map_columns));
    for (const boot_range* range = boot_.ranges; range != nullptr; range = range->next) {
        if (is_region(range)) map_.add(*range);
    }
    map_.look();

    draw_frame();
    draw_map();
    draw_classes();
    draw_figures();
    canvas::write(events_top, 2, label, "workload");
    canvas::write_wrapped(events_top, 11, 1, columns - 13, plain, last_call);
    canvas::write(events_top + 1, 2, label, "key");
    canvas::write_wrapped(events_top + 1, 11, 4, columns - 13, strong, answer);
}

void HeapScreen::draw_frame() const {
    constexpr Style title{Colour::bright, Colour::bar};
    constexpr Style subtitle{Colour::text, Colour::bar};
    canvas::fill(0, 0, columns, u' ', title);
    unsigned column = canvas::write(0, 2, title, "slabheap %s", heap_version);
    canvas::write(0, column + 1, subtitle, "on %s, %s in %d regions", machine_name,
                  size_text(stats_.total_bytes).text, boot_.regions);

    draw_usage();
    rule(1, u'┌', u'┐');
    canvas::write(1, 2, label, " memory, %s a cell ", size_text(map_.cell_bytes()).text);
    canvas::put(1, side - 1, u'┬', line);
    canvas::write(1, side + 2, label, " bytes  blocks  full ");
    for (unsigned row = map_top; row < map_top + map_rows; row++) {
        canvas::put(row, 0, u'│', line);
        canvas::put(row, side - 1, u'│', line);
        canvas::put(row, columns - 1, u'│', line);
    }
    rule(figures_top - 1, u'├', u'┤');
    canvas::put(figures_top - 1, side - 1, u'┴', line);
    rule(events_top - 1, u'├', u'┤');
    for (unsigned row = figures_top; row < keys_row; row++) {
        if (row == events_top - 1) continue;
        canvas::put(row, 0, u'│', line);
        canvas::put(row, columns - 1, u'│', line);
    }
    draw_keys();
}

// How much of the heap is in use: a bar at the right of the title.
void HeapScreen::draw_usage() const {
    constexpr unsigned width = 20;
    constexpr Style used{Colour::bright, Colour::bar};
    size_t percent = percent_used(stats_);
    unsigned column = canvas::write(0, columns - width - 6, used, "%3zu%% ", percent);
    for (unsigned i = 0; i < width; i++) {
        canvas::put(0, column + i, percent * width / 100 > i ? u'█' : u'░', {Colour::text, Colour::bar});
    }
}

void HeapScreen::draw_map() const {
    for (unsigned i = 0; i < map_rows * map_columns; i++) {
        unsigned row = map_top + i / map_columns;
        unsigned column = map_left + i % map_columns;
        if (i >= map_.cell_count()) {
            canvas::put(row, column, u' ', plain);
            continue;
        }
        size_t user = map_.user(i);
        size_t quarter = map_.used(i) == 0 ? 0 : (map_.used(i) - 1) * 4 / map_.cell_bytes();
        canvas::put(row, column, user == HeapMap::nothing ? u'·' : fill_of_quarter[quarter],
                    style_of(user, stats_.class_count));
    }
}

void HeapScreen::draw_classes() const {
    unsigned row = map_top;
    constexpr unsigned last_class_row = map_top + map_rows - 5;
    for (size_t i = 0; i < stats_.class_count && row <= last_class_row; i++, row++) {
        const slab_class_stats& shown = stats_.classes[i];
        size_t percent = shown.capacity == 0 ? 0 : shown.live * 100 / shown.capacity;
        canvas::fill(row, side + 1, 2, u'█', style_of(i, stats_.class_count));
        canvas::write(row, side + 4, plain, "%4zu %7zu %4zu%%", shown.size, shown.live, percent);
    }
    canvas::fill(row, side + 1, 2, u'█', style_of(HeapMap::large, 1));
    canvas::write(row++, side + 4, plain, "larger %5zu", map_.large_blocks());
    canvas::fill(row, side + 1, 2, u'█', style_of(HeapMap::page_map, 1));
    canvas::write(row++, side + 4, plain, "page maps");
    canvas::fill(row, side + 1, 2, u'·', style_of(HeapMap::nothing, 1));
    canvas::write(row++, side + 4, plain, "free");
    for (unsigned quarter = 0; quarter < 4; quarter++) {
        canvas::fill(row, side + 1 + 2 * quarter, 2, fill_of_quarter[quarter], plain);
    }
    canvas::write(row++, side + 10, plain, "how full");
}

void HeapScreen::draw_figures() const {
    const struct {
        const char* name;
        size_t number;
    } figures[] = {
        {"total", stats_.total_bytes},
        {"allocations", stats_.allocations},
        {"failures", stats_.failures},
        {"used", stats_.used_bytes},
        {"frees", stats_.frees},
        {"faults", stats_.faults},
        {"available", stats_.available_bytes},
        {"largest free", stats_.largest_free_bytes},
        {"page maps", stats_.metadata_bytes},
    };
    constexpr struct {
        unsigned label;
        unsigned end;
    } places[] = {{2, 25}, {29, 54}, {58, 78}};
    for (unsigned i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        unsigned row = figures_top + i / 3;
        Grouped number = grouped(figures[i].number);
        unsigned column = canvas::write(row, places[i % 3].label, label, "%s ", figures[i].name);
        canvas::write(row, column, strong, "%*s", static_cast<int>(places[i % 3].end - column), number.text);
    }
}

}  // namespace demo
