// SPDX-License-Identifier: MIT
//
// A frame: the workload moves a step, the screen is drawn, and what a key did is recorded with the
// figures drawn.
#include "live.hpp"

#include "command_line.hpp"
#include "controls.hpp"
#include "heap_map.hpp"
#include "heap_screen.hpp"
#include "machine.h"
#include "print.h"
#include "record.h"
#include "report.hpp"
#include "show.hpp"
#include "workload.hpp"

namespace demo {

namespace {

constexpr size_t frames = 7;  // of a workload that nobody watches

// What the workload moves in a frame: a part of the heap, and less of a very large one.
constexpr size_t step(size_t total_bytes) {
    constexpr size_t most = 64 << 20;
    return total_bytes / 4 < most ? total_bytes / 4 : most;
}

// The same when somebody watches.
constexpr size_t slow_step(size_t total_bytes) {
    return total_bytes / 400;
}
constexpr unsigned beats_per_frame = 2;

HeapMap map;

void record_screen(const HeapScreen& screen, const Workload& workload, const char* answer) {
    record_text("last_call", workload.last_call().text);
    record_text("answer", answer);
    record_figures("heap", screen.figures());
    record_end();
}

void run_under_keys(HeapScreen& screen, Workload& workload) {
    Controls controls;
    heading("under the keyboard");
    record_start("ready");
    record_end();
    while (!controls.has_quit()) {
        char key = machine_key();
        bool obeyed = controls.obey(key);
        if (!obeyed && !controls.is_paused()) workload.run(slow_step(screen.figures().total_bytes));
        screen.draw(workload.last_call().text, controls.answer());
        if (obeyed) {
            print("  %c\n", key);
            print_wrapped(controls.answer(), 4);
            const char name[] = {key, '\0'};
            record_start("key");
            record_text("key", name);
            record_screen(screen, workload, controls.answer());
        }
        for (unsigned i = 0; i < beats_per_frame; i++) machine_rest();
    }
}

void pose(HeapScreen& screen, const Workload& workload) {
    Controls controls;
    controls.misuse();
    screen.draw(workload.last_call().text, controls.answer());
    record_start("pose");
    record_screen(screen, workload, controls.answer());
    while (machine_key() == '\0') machine_rest();
}

}  // namespace

void show_heap_at_work(const boot_info& boot) {
    slab_stats stats;
    slab_heap_stats(&stats);
    Workload workload;
    {
        HeapScreen screen(boot, map);
        for (size_t i = 0; i < frames; i++) {
            workload.run(step(stats.total_bytes));
            screen.draw(workload.last_call().text, "");
        }
        show_classes();
        show_picture(boot, map);
        if (told_to(boot, "pose")) pose(screen, workload);
        if (told_to(boot, "keys")) run_under_keys(screen, workload);
    }
    workload.stop();
}

}  // namespace demo
