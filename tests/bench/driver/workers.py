# SPDX-License-Identifier: MIT
"""The workers: one program for each peer, which measures one thing each time it is run."""

import pathlib
import subprocess

REFERENCE = "slabheap"
FINE = "heap-fine"  # heap, out of an archive with the fine size classes
RELAXED = "slabheap-relaxed"  # slabheap, out of an archive with the relaxed claim
PEERS = ["slabheap", "heap", FINE, "seed", "glibc", "mimalloc", "jemalloc", "tcmalloc"]
REGION_PEERS = ["heap", FINE, "seed"]  # of those that manage a region, the ones that are looked at closely
GENERAL_PEERS = ["glibc", "mimalloc", "jemalloc", "tcmalloc"]
THREAD_PEERS = ["slabheap", RELAXED, "heap-spin", *GENERAL_PEERS]  # those that threads may share
WORKLOADS = ["W1", "W2", "W2r", "W3", "W4", "W5", "W6"]
PRIVATE_WORKLOADS = ["T1", "T1r"]  # of threads that have nothing to do with each other
THREAD_WORKLOADS = [*PRIVATE_WORKLOADS, "T2", "T3"]
FORMS = ["free", "free_sized"]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def bytes_text(count):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} B"


class MeasurementFailed(Exception):
    pass


class Workers:
    def __init__(self, directory):
        self.directory = directory

    def path(self, peer):
        return self.directory / f"bench-{peer}"

    def has(self, peer):
        return self.path(peer).exists()

    def run(self, peer, *arguments, given="", prefix=()):
        """What the worker prints, as a list of lines."""
        command = [*prefix, str(self.path(peer)), *map(str, arguments)]
        done = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise MeasurementFailed(f"'{' '.join(command)}' ended with status {done.returncode}")
        return done.stdout.splitlines()

    def table(self, peer, *arguments, **options):
        """What it prints, as rows of fields, without the first that says what it is."""
        return [line.split("\t")[1:] for line in self.run(peer, *arguments, **options)]

    @staticmethod
    def processor():
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
        return "unknown"

    def compiler(self):
        return dict(self.about("null"))["compiler"]

    def versions(self, peers):
        """Of the peers that are another's library."""
        told = {peer: dict(self.about(peer)) for peer in peers}
        return {peer: about["library"] for peer, about in told.items() if "library" in about}

    def about(self, peer):
        return [line.split("\t") for line in self.run(peer, "about")]
