# SPDX-License-Identifier: MIT
"""Installs what is missing and builds, in build-bench: the archive as users get it; the same with the fine
size classes, with the relaxed claim, and compiled to count basic blocks; the workers, which link them; and a
kernel's archive."""

import os
import pathlib
import shutil
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent.parent
BUILD = ROOT / "build-bench"

TOOLS = {"meson": "meson", "ninja": "ninja-build", "c++": "g++", "valgrind": "valgrind"}
PEER_PACKAGES = ["libmimalloc-dev", "libjemalloc-dev", "libgoogle-perftools-dev"]

# How each archive is set up, in a directory of its name.
ARCHIVES = {
    "library": [],
    "fine": ["-Dsize_classes=fine"],
    "relaxed": ["-Dclaim=relaxed"],
    "counted": [],
    "kernel": ["--cross-file", ROOT / "arch" / "x86_64" / "cross.ini"],
}
COUNT_BLOCKS = "-Dcpp_args=-fsanitize-coverage=trace-pc"


class NotBuilt(Exception):
    pass


def apt(*arguments):
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if as_root and not shutil.which("sudo"):
        return False
    command = [*as_root, "apt-get", "-y", "-q", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment)
    return done.returncode == 0


def is_installed(package):
    query = ["dpkg-query", "-W", "-f=${Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout.endswith(" installed")


def install_missing():
    """Returns whether a peer's library was installed."""
    tools = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if not shutil.which("apt-get"):
        if tools:
            raise NotBuilt(f"please install what Debian's packages {' '.join(tools)} contain")
        return False
    peers = [package for package in PEER_PACKAGES if not is_installed(package)]
    if not tools and not peers:
        return False
    print(f"tests/bench/run: installing {' '.join(tools + peers)}", file=sys.stderr)
    updated = apt("update")
    if tools and not (updated and apt("install", "--no-install-recommends", *tools)):
        raise NotBuilt(f"please install, as root: {' '.join(tools)}")
    installed = [package for package in peers if apt("install", "--no-install-recommends", package)]
    if installed != peers:
        print("tests/bench/run: some peers could not be installed; they are left out", file=sys.stderr)
    return installed != []


def quietly(*command):
    """Shows what a step says only when it fails."""
    step = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if step.returncode != 0:
        sys.stderr.write(step.stdout)
        raise NotBuilt(f"'{' '.join(str(word) for word in command)}' failed")


def archive_path(name):
    return BUILD / name / "libslabheap.a"


def build_archive(name):
    directory = BUILD / name
    if not (directory / "build.ninja").exists():
        quietly("meson", "setup", directory, ROOT, "-Dtests=disabled", *ARCHIVES[name])
        # Not at once: Meson tries whether a program links, which one that counts blocks does not by itself.
        if name == "counted":
            quietly("meson", "configure", directory, COUNT_BLOCKS)
    quietly("ninja", "-C", directory, "libslabheap.a")


def build(extra=None, also=()):
    """Returns the directory with the workers. extra: of the archives that are not always needed those that
    are, each with the peer that links it: {"fine": "heap-fine"}. also: archives of which each gets a peer
    heap-<its name>."""
    extra = {**(extra or {}), **{name: f"heap-{name}" for name in also}}
    new_peers = install_missing()
    for name in ("library", "counted", *extra):
        build_archive(name)
    workers = BUILD / "workers"
    options = [f"-Darchive={archive_path('library')}",
               *[f"-D{name}_archive={archive_path(name)}" for name in ("counted", "fine", "relaxed")],
               "-Dheap_archives=" + ",".join(f"{name}={archive_path(name)}" for name in also)]
    set_up_with = workers / "options"  # a directory set up otherwise, or by an older bench, is not used
    if new_peers or not set_up_with.exists() or set_up_with.read_text() != "\n".join(options):
        shutil.rmtree(workers, ignore_errors=True)
        quietly("meson", "setup", workers, BENCH, *options)
        set_up_with.write_text("\n".join(options))
    quietly("ninja", "-C", workers, "all", *[f"bench-{peer}" for peer in extra.values()])
    return workers


def build_kernel():
    """Returns the directory of a kernel's archive."""
    build_archive("kernel")
    return BUILD / "kernel"
