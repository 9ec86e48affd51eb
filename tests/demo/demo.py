# SPDX-License-Identifier: MIT
"""What the tests of the demo kernel share: the command line, results, kernel-demo/run, and a machine.

A Machine is QEMU without kernel-demo/run between: it is driven through QEMU's monitor, and what the kernel
says is read from the record, its second serial line."""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "kernel-demo" / "run"
CPUS = ["i386", "x86_64"]
COLUMNS, ROWS = 80, 25
SECONDS = 60  # after which a machine is stopped, and nobody waits any longer

_failures = 0


def result(name, passed, why=""):
    """Prints "ok NAME", or "not ok NAME" and why."""
    global _failures
    print(f"{'ok' if passed else 'not ok'} {name}", flush=True)
    if not passed:
        _failures += 1
        for line in str(why).splitlines():
            print(f"    {line}")
    return passed


def equal(name, found, expected):
    return result(name, found == expected, f"found    {found!r}\nexpected {expected!r}")


def main(test, description):
    """Runs a test on the CPUs that the command line names (both, if it names none); ends with its status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--arch", action="append", choices=CPUS, help="a CPU; both, when none is given")
    for arch in parser.parse_args().arch or CPUS:
        try:
            test(arch)
        except Exception as error:  # what was not foreseen fails the test, too
            result(f"{arch}: the test itself", False, f"{type(error).__name__}: {error}")
    sys.exit(1 if _failures else 0)


def run(*options):
    """kernel-demo/run; its output is text."""
    return subprocess.run([RUN, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=10 * SECONDS)


def build(arch):
    """Makes sure that there is a kernel to boot."""
    checked = run("--arch", arch, "--check")
    if checked.returncode != 0:
        raise RuntimeError(checked.stdout + checked.stderr)


def artefact(arch, name):
    return ROOT / f"build-{arch}" / name


def log(arch):
    return artefact(arch, "kernel-demo.log").read_text().splitlines()


def kernel(arch):
    return artefact(arch, "kernel-demo/slabheap-demo.elf")


def records(text):
    """The records in a text, of which the last line may not be complete yet."""
    lines = text.split("\n")
    return [json.loads(line) for line in lines[:-1]]


def wait_until(true, what):
    """Waits until a function returns something true, and returns it."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        value = true()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"waited {SECONDS} seconds for {what}")


class Machine:
    """A machine with the kernel that is made for it, or another image, under the words of a command line, and
    with what QEMU is told besides. One that does not end with the kernel stays as it was then."""

    def __init__(self, arch, words, ends=True, options=(), image=None):
        exit_device = ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"] if ends else []
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.record = self.directory / "record"
        self.record.touch()
        self.qemu = subprocess.Popen(
            ["timeout", "--kill-after=5", str(SECONDS), f"qemu-system-{arch}", "-m", "64M",
             "-display", "none", "-no-reboot",
             "-kernel", image or artefact(arch, "kernel-demo/slabheap-demo.boot"),
             "-append", words, "-serial", "null", "-serial", f"file:{self.record}",
             "-qmp", "stdio", *exit_device, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.qemu.stdout.readline()  # the greeting
        self.execute("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.qemu.poll() is None:
            self.qemu.terminate()
            self.qemu.wait()
        shutil.rmtree(self.directory)

    def execute(self, command, **arguments):
        """A command of QEMU's monitor protocol."""
        self.qemu.stdin.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qemu.stdin.flush()
        while True:  # events may come before the answer
            line = self.qemu.stdout.readline()
            if not line:
                raise RuntimeError(f"QEMU has ended; the last of the record is {self.records()[-1:]}")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(answer["error"])
            if "return" in answer:
                return answer["return"]

    def records(self, event=None):
        return [it for it in records(self.record.read_text()) if event in (None, it["event"])]

    def wait_for(self, event, count=1):
        """The count-th record of an event, as soon as the kernel has made it."""

        def look():
            found = self.records(event)
            if len(found) < count and self.qemu.poll() is not None:
                raise RuntimeError(f"QEMU has ended before a record {event}")
            return found[count - 1:count]

        return wait_until(look, f"a record {event}")[0]

    def press(self, key):
        """Presses a key that the kernel obeys, and returns its record."""
        before = len(self.records("key"))
        self.execute("send-key", keys=[{"type": "qcode", "data": key}])
        return self.wait_for("key", before + 1)

    def screen(self):
        """The rows of the screen as text, and the colours (ink, paper) of each of their cells."""
        dump = self.directory / "screen"
        self.execute("pmemsave", val=0xb8000, size=2 * COLUMNS * ROWS, filename=str(dump))
        cells = dump.read_bytes()
        text = cells[::2].decode("cp437")
        colours = [(it & 15, it >> 4) for it in cells[1::2]]
        rows = range(0, COLUMNS * ROWS, COLUMNS)
        return [text[at:at + COLUMNS] for at in rows], [colours[at:at + COLUMNS] for at in rows]

    def end(self):
        """Waits for the kernel's end. Returns its verdict: QEMU's exit status is twice that, and one."""
        return self.qemu.wait(SECONDS) >> 1


def called(pattern, text):
    """What the group of a pattern stands for in a text that has it."""
    found = re.search(pattern, text)
    if not found:
        raise ValueError(f"no {pattern!r} in {text!r}")
    return found.group(1)
