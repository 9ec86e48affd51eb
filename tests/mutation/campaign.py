# SPDX-License-Identifier: MIT
"""Runs mutants against tests: first which test comes by which places; then, for each mutant, the tests that
come by its place, until one fails: first those that killed its neighbours, then the quick ones of each unit,
the quick units before the slow ones, and last the slow tests, one after the other; these are spared what is
explained anyway."""

import collections
import json
import os
import queue
import subprocess
import threading

from build import BUILD, SLOW_UNITS, Failure, digest

# A test that takes no longer is quick, in seconds of CPU time.
QUICK = 0.05
# How much CPU time a test may take with a mutant, in seconds, beside so many times what it takes without.
PATIENCE = 0.3
TIMES = 8
TIMES_OF_SLOW = 3
# So many tests run by themselves, because they killed neighbours.
MOST_FIRST = 4
# How long the random tests are: steps of the one, heaps of the other.
LENGTHS = {"SLABHEAP_STEPS": "400", "SLABHEAP_HEAPS": "1"}


def environment():
    return {**os.environ, **LENGTHS}


class Server:
    """A unit's program, which waits for requests."""

    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        env=environment())

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer.endswith("\n"):
            raise Failure(f"{self.process.args[0]} has ended")
        return answer.split()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Test:
    def __init__(self, unit, name, result, microseconds, reached):
        self.unit, self.name, self.result = unit, name, result
        self.seconds = int(microseconds) / 1e6
        self.reached = frozenset(map(int, reached))

    def title(self):
        return f"{self.unit}: {self.name}"

    def is_quick(self):
        return self.seconds <= QUICK


def limit(tests):
    """How much CPU time they may take with a mutant, in milliseconds."""
    times = [it.seconds * (TIMES if it.is_quick() else TIMES_OF_SLOW) for it in tests]
    return int(1000 * (PATIENCE + sum(times)))


def in_parallel(jobs, items, work):
    """Calls work(server_of, item) for each item, in threads that have servers of their own."""
    todo = queue.SimpleQueue()
    for it in items:
        todo.put(it)
    errors = []

    def run():
        servers = {}

        def server_of(program):
            if program not in servers:
                servers[program] = Server(program)
            return servers[program]

        try:
            while not errors:
                work(server_of, todo.get_nowait())
        except queue.Empty:
            pass
        except Exception as error:
            errors.append(error)
        for it in servers.values():
            it.end()

    threads = [threading.Thread(target=run) for _ in range(jobs)]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    if errors:
        raise errors[0]


def tests_of(variant, programs, jobs, slowest):
    """All tests of the units, with what they reach. What was found out of a program is kept beside it."""
    tests = []

    def explore(server_of, unit):
        program = programs[unit]
        kept = BUILD / variant / "reached" / f"{unit}.json"
        most = int(1000 * (4 * QUICK if unit in SLOW_UNITS else max(slowest, 4 * QUICK)))
        of = digest(program, most)
        rows = None
        if kept.exists():
            rows = json.loads(kept.read_text())
            rows = rows["tests"] if rows["of"] == of else None
        if rows is None:
            server = server_of(program)
            rows = []
            for name in server.ask("list"):
                result, took, _, *reached = server.ask(f"reach {most} {name}")
                rows.append([name, result, took, *reached])
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps({"of": of, "tests": rows}))
        tests.extend(Test(unit, name, result, took, reached) for name, result, took, *reached in rows)

    in_parallel(jobs, programs, explore)
    return sorted(tests, key=lambda it: (it.unit, it.name))


class Campaign:
    def __init__(self, lib, programs, tests):
        # What became of which mutant, a line each, and of which library.
        self.journal = BUILD / lib.variant / "verdicts" / f"{lib.digest()}.json"
        self.programs, self.first_of = programs, lib.first_of
        self.by_place = collections.defaultdict(list)
        self.by_title = {it.title(): it for it in tests}
        for test in sorted(tests, key=lambda it: it.seconds):
            for place in test.reached:
                self.by_place[place].append(test)
        self.killers = collections.defaultdict(list)  # function -> tests, the latest first
        self.verdicts = {}  # mutant -> (how it was killed, the test's title), or None

    def turns(self, mutant):
        """The tests that come by, as lists of tests of one unit that run in one process."""
        reaching = self.by_place[self.first_of[mutant.number]]
        here = set(reaching)
        first = [it for it in self.killers[mutant.function] if it in here][:MOST_FIRST]
        by_unit = collections.defaultdict(list)
        slow = []
        for it in reaching:
            if it not in first:
                (by_unit[it.unit] if it.is_quick() else slow).append(it)
        quick = sorted(by_unit.values(), key=lambda tests: sum(it.seconds for it in tests))
        if mutant.explained is not None:  # none is expected to kill it
            slow = []
        return [*([it] for it in first), *quick, *([it] for it in slow)]

    def judge(self, server_of, mutant):
        for tests in self.turns(mutant):
            unit = tests[0].unit
            names = ":".join(it.name for it in tests)
            server = server_of(self.programs[unit])
            result, _, *name = server.ask(f"run {mutant.number} {limit(tests)} {names}")
            if result != "passed":
                test = self.by_title[f"{unit}: {name[0]}"] if name else tests[0]
                killers = self.killers[mutant.function]
                self.killers[mutant.function] = [test] + [it for it in killers if it is not test]
                self.verdicts[mutant] = result, test.title()
                return
        self.verdicts[mutant] = None

    def resume(self, mutants):
        """Takes over what was killed before in the same library; gives the other mutants that are not
        explained."""
        rows = self.journal.read_text().splitlines() if self.journal.exists() else []
        killed = {number: (result, title) for number, result, title in map(json.loads, rows)}
        for it in mutants:
            if it.number in killed:
                self.verdicts[it] = killed[it.number]
            elif it.explained is not None:
                self.verdicts[it] = None
        return [it for it in mutants if it not in self.verdicts]

    def run(self, mutants, jobs, tell):
        """tell: is called with the number of mutants that were run."""
        self.journal.parent.mkdir(parents=True, exist_ok=True)

        def work(server_of, mutant):
            self.judge(server_of, mutant)
            verdict = self.verdicts[mutant]
            if verdict is not None:
                print(json.dumps([mutant.number, *verdict]), file=journal, flush=True)
            tell(len(self.verdicts))

        with open(self.journal, "a") as journal:
            in_parallel(jobs, mutants, work)

    def is_reached(self, mutant):
        return bool(self.by_place[self.first_of[mutant.number]])

    def show(self, mutant):
        """Prints what the test says that kills it."""
        result, title = self.verdicts[mutant]
        test = self.by_title[title]
        print(f"{result}: {title}", flush=True)
        subprocess.run([self.programs[test.unit], "--tell"], text=True, env=environment(),
                       input=f"run {mutant.number} {limit([test])} {test.name}\n")
