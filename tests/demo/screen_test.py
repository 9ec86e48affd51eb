#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""What the screen says against what the heap says: the kernel's record has the heap's statistics of the
moment of the picture, and QEMU reads the cells of the screen. The picture as PNG is looked at, too."""

import struct
import tempfile
import zlib

import demo

MAP = [(row, column) for row in range(2, 14) for column in range(1, 55)]
SIDE = 57  # where what stands beside the map begins
FILLS = "░▒▓█"
FREE = "·"
SHOWN = {"total": "total_bytes", "used": "used_bytes", "available": "available_bytes",
         "allocations": "allocations", "frees": "frees", "largest free": "largest_free_bytes",
         "failures": "failures", "faults": "faults", "page maps": "metadata_bytes"}


def figures(rows):
    """The figures on the screen, by their labels."""
    text = " ".join(rows[15:18])
    return {name: int(demo.called(rf"{name} +([\d,]+) ", text).replace(",", "")) for name in SHOWN}


def classes(rows):
    """The rows of the size classes: bytes, live blocks, percent."""
    found = [row[SIDE + 2:79].replace("%", "").split() for row in rows[2:9]]
    return [tuple(int(it) for it in row) for row in found]


def wrapped(rows, first, count):
    """A text that fills some rows, its words a space apart."""
    return " ".join(" ".join(row[11:79] for row in rows[first:first + count]).split())


def legend(rows, colours):
    """The colours of what the map shows, by the words of the legend."""
    found = {}
    for row in range(2, 12):
        words = rows[row][SIDE + 2:79].split()
        name = "page maps" if words[0] == "page" else words[0]
        found[colours[row][SIDE][0]] = name
    return found


def check_map(arch, moment, rows, colours, heap):
    names = legend(rows, colours)
    demo.equal(f"{arch}, {moment}: the legend's colours differ", len(names), 10)
    cell_bytes = demo.called(r"memory, ([\d.]+ [KM]iB) a cell", rows[1]).split()
    cell_bytes = round(float(cell_bytes[0]) * {"KiB": 1 << 10, "MiB": 1 << 20}[cell_bytes[1]])
    cells = [(rows[row][column], colours[row][column]) for row, column in MAP]
    cells = [it for it in cells if it[0] != " "]
    used = [(FILLS.index(character), names[ink]) for character, (ink, _) in cells if character != FREE]
    demo.equal(f"{arch}, {moment}: the map has dots where it is free, shades elsewhere",
               {names[ink] for character, (ink, _) in cells if character == FREE} <= {"free"}, True)
    least = sum(quarter for quarter, _ in used) * cell_bytes // 4
    most = sum(quarter + 1 for quarter, _ in used) * cell_bytes // 4
    demo.result(f"{arch}, {moment}: the map's quarters add up to what is used",
                least <= heap["used_bytes"] + heap["metadata_bytes"] <= most,
                f"{least} <= {heap['used_bytes']} + {heap['metadata_bytes']} <= {most}")
    live = {str(it["size"]) for it in heap["classes"] if it["live"] != 0} | {"page maps", "larger"}
    shown = {name for _, name in used}
    demo.result(f"{arch}, {moment}: the map shows no class that has no blocks", shown <= live, shown - live)
    return shown


def check(arch, moment, machine, record):
    rows, colours = machine.screen()
    heap = record["heap"]
    demo.equal(f"{arch}, {moment}: the figures are the heap's", figures(rows),
               {name: heap[member] for name, member in SHOWN.items()})
    demo.equal(f"{arch}, {moment}: the size classes are the heap's", classes(rows),
               [(it["size"], it["live"], it["live"] * 100 // it["capacity"]) for it in heap["classes"]])
    demo.equal(f"{arch}, {moment}: the percentage is the heap's",
               int(demo.called(r" (\d+)% [█░]{20}", rows[0])),
               heap["used_bytes"] // (heap["total_bytes"] // 100))
    demo.equal(f"{arch}, {moment}: the workload's last call is there", wrapped(rows, 19, 1),
               record["last_call"])
    demo.equal(f"{arch}, {moment}: what the key did is there", wrapped(rows, 20, 4), record["answer"])
    return check_map(arch, moment, rows, colours, heap)


def pixels(png):
    """Width, height, and the colours of all pixels of a PNG picture, 8 bits of red, green and blue."""
    data, position, width, height = b"", 8, 0, 0
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position:position + 8])
        chunk = png[position + 8:position + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour_type = struct.unpack(">IIBB", chunk[:10])
            assert (depth, colour_type) == (8, 2), "8 bits of red, green and blue"
        if kind == b"IDAT":
            data += chunk
        position += 12 + length
    data, above, found, bytes_per_row = zlib.decompress(data), bytes(3 * width), [], 3 * width
    for start in range(0, height * (bytes_per_row + 1), bytes_per_row + 1):
        row = unfilter(data[start], data[start + 1:start + 1 + bytes_per_row], above)
        found += zip(row[::3], row[1::3], row[2::3])
        above = row
    return width, height, found


def unfilter(kind, coded, above):
    """A row of a PNG picture, as it was before its filter (PNG specification, 9.2)."""
    row = bytearray()
    for i, value in enumerate(coded):
        left, up, corner = (row[i - 3], above[i], above[i - 3]) if i >= 3 else (0, above[i], 0)
        nearest = min((left, up, corner), key=lambda it: abs(left + up - corner - it))
        row.append((value + (0, left, up, (left + up) // 2, nearest)[kind]) & 255)
    return bytes(row)


def test_picture(arch):
    with tempfile.TemporaryDirectory() as directory:
        saved = f"{directory}/a picture.png"
        ran = demo.run("--arch", arch, "--screenshot", saved)
        if not demo.equal(f"{arch}: --screenshot ends with the verdict", ran.returncode, 0):
            return
        with open(saved, "rb") as file:
            png = file.read()
    width, height, found = pixels(png)
    demo.equal(f"{arch}: the picture has a screen's size", (width, height), (720, 400))
    demo.result(f"{arch}: and its colours", 14 <= len(set(found)) <= 16, sorted(set(found)))
    demo.result(f"{arch}: and is small", len(png) < 100_000, len(png))


def test(arch):
    demo.build(arch)
    with demo.Machine(arch, "pose") as machine:
        shown = check(arch, "posing", machine, machine.wait_for("pose"))
        demo.result(f"{arch}, posing: the map shows every kind of thing", len(shown) >= 9, shown)
    with demo.Machine(arch, "keys") as machine:
        machine.wait_for("ready")
        machine.press("p")
        check(arch, "exhausted", machine, machine.press("e"))
        machine.press("e")
        check(arch, "after a misuse", machine, machine.press("m"))
    test_picture(arch)


if __name__ == "__main__":
    demo.main(test, __doc__)
