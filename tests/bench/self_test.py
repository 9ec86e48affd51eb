#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""What the bench makes of its measurements: the tables in README.md, from a small file of made-up results,
and the verdicts of the gate. `canned/tables.md` is what `canned/results.json` has to become."""

import json
import pathlib
import random
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "driver"))
import gate
import page_cost
import readme
import report
import threads
import timing

README = "Before.\n<!-- bench: begin (anything) -->\nold\n<!-- bench: end -->\nBehind.\n"


def canned(*sections):
    """The canned results; of what was measured, only these sections."""
    results = json.loads((HERE / "canned" / "results.json").read_text())
    measured = {"time", "threads", "instructions", "worst", "memory", "scale", "footprint"}
    left_out = measured - set(sections or measured)
    return {key: value for key, value in results.items() if key not in left_out}


def tables(results):
    return report.paragraphs(readme.block(results))


class Tables(unittest.TestCase):
    maxDiff = None

    def test_of_everything(self):
        self.assertEqual((HERE / "canned" / "tables.md").read_text(), tables(canned()))

    def test_of_a_part_are_the_same_without_the_rest(self):
        whole = tables(canned()).split("\n\n")
        for section in ("time", "threads", "instructions", "worst", "memory", "scale", "footprint"):
            part = tables(canned(section)).rstrip("\n").split("\n\n")
            self.assertGreater(len(part), 1)
            if section not in ("memory", "scale"):  # these share a table
                self.assertLessEqual(set(part), {paragraph.rstrip("\n") for paragraph in whole})

    def test_one_class_set_alone_is_not_told_from_another(self):
        results = canned()
        results["peers"].remove("heap-fine")
        del results["memory"]["heap-fine"], results["scale"]["heap-fine"]
        self.assertNotIn("fine", tables(results).split("\n\n", 1)[1])

    def test_without_heap_only_times_are_told(self):
        results = canned()
        results["peers"] = ["slabheap", "glibc"]
        self.assertEqual(6, len(tables(results).split("\n\n")))

    def test_what_threads_pass_to_each_other_has_no_scaling(self):
        results = canned("threads")
        del results["threads"]["T1"]
        self.assertNotIn("multiple", tables(results))
        self.assertNotIn("multiple", "".join(report.thread_tables(results)))

    def test_losses_are_bold(self):
        shown = {0.2: "0.20", 0.994: "0.99", 1.0: "1.00", 1.004: "1.00", 1.006: "**1.01**",
                 12.34: "**12.3**"}
        self.assertEqual(list(shown.values()), [readme.share_cell(share) for share in shown])

    def test_no_place_of_this_machine_is_named(self):
        self.assertEqual("./tests/bench/run --quick --time",
                         report.command(["--quick", "--output", "/a/b", "--time", "--output=/a/b"]))


class Times(unittest.TestCase):
    def test_the_driver_is_its_fastest_round_and_is_subtracted(self):
        net, driver = timing.net_times({"null": [3.0, 2.0], "slabheap": [12.0, 7.0]}, "null")
        self.assertEqual(({"slabheap": [10.0, 5.0]}, 2.0), (net, driver))

    def test_shares_are_of_the_same_round(self):
        net = {"slabheap": [1.0, 20.0, 3.0], "mimalloc": [2.0, 10.0, 6.0]}
        self.assertEqual(0.5, timing.summary(net, "mimalloc")["share"])

    def test_two_threads_that_need_no_longer_than_one_get_twice_as_much_done(self):
        found = threads.scaling_summary([8.0, 9.0, 10.0], [8.0, 18.0, 10.0])
        self.assertEqual({"median": 2.0, "minima": 2.0}, found["scaling"])
        self.assertEqual({"median": 9.0, "minimum": 8.0}, found["alone"])


class Place(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "README.md"

    def test_only_what_is_between_the_comments_changes(self):
        self.path.write_text(README)
        readme.update(self.path, canned())
        once = self.path.read_text()
        self.assertEqual(README.replace("old\n", f"\n{tables(canned())}\n"), once)
        readme.update(self.path, canned())
        self.assertEqual(once, self.path.read_text())

    def test_there_must_be_one(self):
        for text in ("", README.replace("bench: end", ""), README.replace("bench: begin", ""), README * 2):
            self.path.write_text(text)
            self.assertRaises(readme.NoPlace, readme.update, self.path, canned())
            self.assertEqual(text, self.path.read_text())


class UpperLine(unittest.TestCase):
    def test_a_line_is_found_again(self):
        self.assertEqual((300, 20), page_cost.upper_line([(order, 300 + 20 * order) for order in (4, 8, 24)]))

    def test_lies_above_all_and_touches_one(self):
        draw = random.Random(1)
        for _ in range(200):
            points = [(order, draw.randrange(100, 1500)) for order in (3, 4, 14, 17, 24)]
            a, b = page_cost.upper_line(points)
            self.assertEqual(0, min(a + b * order - cost for order, cost in points))

    def test_never_falls(self):
        self.assertEqual((90, 0), page_cost.upper_line([(3, 90), (24, 10)]))

    def test_orders(self):
        self.assertEqual([3, 4, 24], [page_cost.orders(heap) for heap in (32 << 10, 64 << 10, 64 << 30)])


class Gate(unittest.TestCase):
    def verdicts(self, measured, limits):
        found = gate.verdicts(measured, limits, "<=", lambda value, limit: value <= limit)
        return [good for good, _ in found]

    def test_bites(self):
        self.assertEqual([True, False], self.verdicts({"a": 5, "b": 6}, {"a": 5, "b": 5}))

    def test_each_value_has_a_limit_and_each_limit_a_value(self):
        self.assertEqual([False, False], self.verdicts({"a": 5}, {"b": 5}))

    def test_margin(self):
        measured = {"a": 100, "b": 0.1, "c": 10.0}
        self.assertEqual({"a": 105, "b": 0.11, "c": 10.5}, gate.with_margin(measured, 0.05))
        self.assertEqual({"a": 0.84}, gate.with_margin({"a": 0.888}, -0.05))


if __name__ == "__main__":
    unittest.main(buffer=True)
