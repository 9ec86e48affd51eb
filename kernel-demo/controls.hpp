// SPDX-License-Identifier: MIT
//
// The kernel under the keyboard: each key does something with the heap, and says what came of it.
#ifndef KERNEL_DEMO_CONTROLS_HPP
#define KERNEL_DEMO_CONTROLS_HPP

#include <stddef.h>

#include "hoard.hpp"

namespace demo {

class Controls {
public:
    // Does what a key stands for. False when it stands for nothing.
    bool obey(char key);
    // What the last key did, in a sentence or two.
    const char* answer() const { return answer_; }

    bool is_paused() const { return is_paused_; }
    bool has_quit() const { return has_quit_; }

    void allocate();  // a block, each time of another size
    void free();      // the block allocated last
    void exhaust();   // takes all that is left; the next time, gives it back
    void misuse();    // breaks a contract, each time another
    void audit();     // checks every invariant
    void pause();     // stops the workload; the next time, lets it go on
    void quit();      // gives everything back

private:
    // Blocks are chained through themselves.
    struct Block {
        Block* next;
    };

    void say(const char* format, ...) __attribute__((format(printf, 2, 3)));

    Block* blocks_ = nullptr;
    Hoard hoard_;
    unsigned allocations_ = 0;
    unsigned misuses_ = 0;
    bool is_paused_ = false;
    bool has_quit_ = false;
    char answer_[340] = "";
};

// What the keys do, in the order in which the screen names them. Each key is a letter of its name.
struct Command {
    char key;
    const char* name;
    void (Controls::*run)();
};
extern const Command commands[7];

}  // namespace demo

#endif
