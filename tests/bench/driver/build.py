# SPDX-License-Identifier: MIT
"""Installs what is missing and builds, in build-bench: the archive as users get it; the same, compiled to
count basic blocks; and the workers, which link them."""

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


def build_archive(directory, arguments):
    if not (directory / "build.ninja").exists():
        quietly("meson", "setup", directory, ROOT, "-Dtests=disabled")
        # Not at once: Meson tries whether a program links, which one that counts blocks does not by itself.
        if arguments:
            quietly("meson", "configure", directory, f"-Dcpp_args={arguments}")
    quietly("ninja", "-C", directory, "libslabheap.a")
    return directory / "libslabheap.a"


def build():
    """Returns the directory with the workers."""
    new_peers = install_missing()
    archive = build_archive(BUILD / "library", "")
    counted = build_archive(BUILD / "counted", "-fsanitize-coverage=trace-pc")
    workers = BUILD / "workers"
    if new_peers or not (workers / "build.ninja").exists():
        shutil.rmtree(workers, ignore_errors=True)
        quietly("meson", "setup", workers, BENCH, f"-Darchive={archive}", f"-Dcounted_archive={counted}")
    quietly("ninja", "-C", workers)
    return workers
