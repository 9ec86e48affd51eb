#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""kernel-demo/run --gdb: GDB attaches by the very command that it prints, stops the kernel where it is told
to, and prints the heap's statistics by their names. They are those that the kernel records."""

import re
import shlex
import socket
import subprocess

import demo


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def command_of(output):
    """What --gdb says to type, and what it says to do in GDB. Before that it may have said what it installs."""
    lines = []
    while not (lines and lines[-1].startswith("  print ")):
        line = output.readline()
        if not line:
            raise RuntimeError("".join(lines))
        if lines or line.startswith("  gdb '"):
            lines.append(line)
    typed, *todo = [line.strip() for line in lines if line.startswith("  ")]
    return shlex.split(typed), todo


def listens(port):
    """Whether something listens on a port, told without a connection: QEMU takes one client only."""
    tables = "".join(open(f"/proc/net/{name}").read() for name in ("tcp", "tcp6"))
    return re.search(rf"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F:]+ 0A ", tables, re.M)


def test_session(arch):
    port = free_port()
    waiting = subprocess.Popen(
        [demo.RUN, "--arch", arch, f"--gdb={port}", "--json", "--timeout", str(demo.SECONDS)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    typed, todo = command_of(waiting.stderr)
    demo.wait_until(lambda: listens(port), "QEMU to listen")
    todo += ["print heap_figures.total_bytes", "print heap_figures.classes[0]", "backtrace 2", "detach"]
    session = [part for line in todo for part in ("-ex", line)]
    gdb = subprocess.run([*typed, "-nx", "-batch", *session], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=demo.SECONDS)
    said = gdb.stdout + gdb.stderr
    output, _ = waiting.communicate(timeout=demo.SECONDS)
    demo.equal(f"{arch}: the kernel goes on when GDB leaves", waiting.returncode, 0)

    values = [int(it) for it in re.findall(r"^\$\d+ = (\d+)$", said, re.M)]
    figures = demo.records(output)
    at_boot = next(it["heap"] for it in figures if it["event"] == "figures")
    demo.result(f"{arch}: the kernel stops where GDB says",
                re.search(r"Breakpoint 1, demo::conclude \(\)", said), said)
    demo.equal(f"{arch}: used and total bytes by name, as the kernel has recorded them", values,
               [at_boot["used_bytes"], at_boot["total_bytes"]])
    demo.result(f"{arch}: a size class by name",
                re.search(r"= \{size = 64, live = \d+, capacity = \d+, pages = \d+\}", said), said)
    demo.result(f"{arch}: the way there", re.search(r"#0 +demo::conclude.*\n#1 .* demo::.*run ", said), said)


def test_port(arch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = demo.run("--arch", arch, f"--gdb={taken.getsockname()[1]}")
    demo.result(f"{arch}: a port that is taken is reported",
                ran.returncode == 3 and "QEMU could not boot" in ran.stderr, ran.stderr)
    ran = demo.run("--arch", arch, "--gdb=here")
    demo.equal(f"{arch}: a port that is no number is refused", (ran.returncode, "not 'here'" in ran.stderr),
               (2, True))


def test(arch):
    demo.build(arch)
    test_session(arch)
    test_port(arch)


if __name__ == "__main__":
    demo.main(test, __doc__)
