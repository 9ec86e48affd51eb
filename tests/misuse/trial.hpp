// SPDX-License-Identifier: MIT
//
// A trial is one kind of misuse, and what becomes of it. What that is, the trial finds out while it happens:
//
//     caught at once    reported by the call that is at fault, or at the access; and without effect
//     caught at ..., by reported by a later call: the block's free, its reuse, the audit ...
//     prevented         not reported, but it reaches nothing that the culprit may not have anyway
//     not caught        not reported, and it reaches more: another's block changes, or is shown, or is freed;
//                       memory is handed out twice; the heap's audit or its books fail
//
// A report that the misuse does not deserve, another kind or another address, is a wrong report, whatever
// else comes true.
//
// The same source runs in a process and in a kernel: it knows the public headers alone, and no libc.
#ifndef MISUSE_TRIAL_HPP
#define MISUSE_TRIAL_HPP

#include <slabheap/slabheap.h>

namespace slabheap::misuse {

enum class Outcome {
    caught_at_once,
    caught_at_the_free,
    caught_at_the_reuse,
    caught_at_the_owners_free,  // the free by whom the block was handed out to since
    caught_by_the_audit,
    prevented,
    not_caught,
    wrong_report,
};

// What a trial needs of the place where it runs.
struct Place {
    // Where a region begins, with its page map; most of the heap's blocks are in it.
    unsigned char* page_map;
    size_t page_map_bytes;
    // Calls work(0) here and work(1) on another CPU, at once, and returns when both have come back. Where
    // there is one CPU it calls them one after the other.
    void (*on_two_cpus)(void (*work)(unsigned cpu));
};

class Trial {
public:
    explicit Trial(const Place& its_place);
    ~Trial();
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;

    const Place& place;

    // A report that would be right, beside the three that were expected last.
    void expect(slab_fault_kind kind, const void* address);

    // The misuse itself.
    template <class Act>
    void misuse(Act act) {
        during(Outcome::caught_at_once, act);
    }
    // What its victim, or anybody, does later.
    template <class Act>
    void at_the_free(Act act) {
        during(Outcome::caught_at_the_free, act);
    }
    template <class Act>
    void at_the_reuse(Act act) {
        during(Outcome::caught_at_the_reuse, act);
    }
    template <class Act>
    void at_the_owners_free(Act act) {
        during(Outcome::caught_at_the_owners_free, act);
    }
    void audit();

    // Whether somebody else has come to harm.
    void harm(bool has_come) { harm_ = harm_ || has_come; }

    // What an access that faults now makes of the trial that is going on.
    static Outcome outcome_of_access();

    // The reports so far.
    unsigned reports() const;
    Outcome outcome() const;

private:
    struct Report {
        slab_fault_kind kind;
        const void* address;
    };

    template <class Act>
    void during(Outcome if_reported, Act act) {
        now_ = if_reported;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);  // an access, too, may ask what it is now
        act();
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        now_ = Outcome::wrong_report;
    }
    static void hear(const slab_fault* fault);
    void hear(const slab_fault& fault);
    bool is_expected(const slab_fault& fault) const;

    slab_fault_handler previous_;
    size_t used_before_;
    Report expected_[4] = {};
    unsigned expectations_ = 0;
    Outcome now_ = Outcome::wrong_report;
    Outcome caught_ = Outcome::prevented;  // as long as it is not
    unsigned reports_ = 0;
    bool is_wrong_ = false;
    bool harm_ = false;
};

struct Case {
    const char* name;
    void (*attempt)(Trial& trial);
};

// All cases, as lists that end with a null name. The last list is null.
extern const Case* const all_cases[];

// Tries it. What else the heap shows afterwards counts as well: its audit and its books.
Outcome attempt(const Case& it, const Place& place);

const char* name_of(Outcome outcome);

}  // namespace slabheap::misuse

#endif
