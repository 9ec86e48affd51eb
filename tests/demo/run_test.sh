#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Tests of kernel-demo/run and of what a boot shows: every way in which a kernel can end has its own exit
# status and its own sentence, the screen shows what the serial line does, and the memory that the loader
# keeps is kept.
set -eu

usage() {
    cat <<'END'
Usage: tests/demo/run_test.sh [--arch i386|x86_64]... [--help]
Tests kernel-demo/run on the CPUs given (default: both). Prints "ok NAME" or "not ok NAME" for each test; the
exit status is 1 when one failed, and 2 for wrong usage.
END
}

cpus=()
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage; exit 0 ;;
        --arch)
            case ${2-} in
                i386 | x86_64) cpus+=("$2") ;;
                *) echo "$0: --arch is i386 or x86_64" >&2; exit 2 ;;
            esac
            shift ;;
        *) echo "$0: unknown option '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done
[ ${#cpus[@]} -gt 0 ] || cpus=(i386 x86_64)

cd "$(dirname "$0")/../.."
exec </dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# The output and the status of the last run.
output=
status=
run() {
    status=0
    output=$(./kernel-demo/run "$@" 2>&1) || status=$?
}

has() { grep -Eq -- "$1" <<<"$output"; }

# result NAME COMMAND...: the test passes when the command succeeds.
result() {
    local name=$1
    shift
    if "$@"; then
        echo "ok $name"
    else
        echo "not ok $name (status $status)"
        printf '    %s\n' "${output//$'\n'/$'\n'    }"
        failures=$((failures + 1))
    fi
}

ended_with() { [ "$status" = "$1" ] && has "$2"; }

fits_the_screen() { ! has '^.{80}'; }
is_one_line() { [ "$(wc -l <<<"$output")" = 1 ] && ended_with 0 "$1"; }
names_options() {
    local option
    for option; do has "^  $option " || return 1; done
}

test_usage() {
    run --help
    result 'help names every option' \
        names_options --arch --compiler --hardening --check --json --bench --storm --smp --window \
        --screenshot '--gdb[[]=PORT[]]' --memory --append --timeout --help
    run --fast
    result 'an unknown option is refused' ended_with 2 "unknown option '--fast'"
    run --arch m68k
    result 'an unknown CPU is refused' ended_with 2 "not 'm68k'"
    run --hardening little
    result 'defences that there are not are refused' ended_with 2 "not 'little'"
    run --timeout soon
    result 'a time-out that is no number is refused' ended_with 2 "not 'soon'"
    run --append
    result 'an option without its value is refused' ended_with 2 '--append needs a value'
    run --check --json
    result '--check and --json are refused together' ended_with 2 '--check shows one line'
    run --bench --check
    result '--bench and --check are refused together' ended_with 2 '--bench shows a table'
    run --storm --screenshot "$work/picture.png"
    result '--storm and --screenshot are refused together' ended_with 2 '--storm shows a table'
    run --smp 65
    result 'more CPUs than the kernel can have are refused' ended_with 2 "1 to 64, not '65'"
    run --arch i386 --smp 2
    result 'several CPUs on i386 are refused' ended_with 2 'on i386 the kernel uses one CPU'
    run --window --screenshot "$work/picture.png"
    result '--window and --screenshot are refused together' ended_with 2 '--screenshot needs no --window'
    output=$(env -u DISPLAY -u WAYLAND_DISPLAY ./kernel-demo/run --window 2>&1) || status=$?
    result 'a window without a display is refused' ended_with 3 'no display for a window: neither DISPLAY nor'
    run --screenshot "$work/nowhere/picture.png"
    result 'a picture that cannot be saved is reported' ended_with 3 'could not save the picture as '
}

test_endings() {
    local arch=$1
    run --arch "$arch"
    result "$arch: a good kernel passes" ended_with 0 '^verdict: PASS \([0-9]+ checks\)$'
    result "$arch: its log fits an 80-column screen" fits_the_screen
    run --arch "$arch" --check
    result "$arch: --check is one line" is_one_line "^kernel-demo $arch: [0-9]+ checks passed$"
    run --arch "$arch" --append fail
    result "$arch: a failed check is reported" ended_with 1 "the kernel's verdict is FAIL"
    result "$arch: and counted in the verdict" has '^verdict: FAIL \(1 of [0-9]+ checks\)$'
    run --arch "$arch" --append fail --check
    result "$arch: --check shows the log of a failure" ended_with 1 '^  \[FAIL\] '
    run --arch "$arch" --append crash
    result "$arch: a crash is reported" ended_with 4 'the kernel crashed'
    result "$arch: with exception and address" has '^exception 6 \(invalid opcode\) at 0x1[0-9a-f]{5}$'
    run --arch "$arch" --append hang --timeout 3
    result "$arch: a kernel that hangs is stopped" ended_with 5 'the kernel hung: stopped after 3 seconds'
    result "$arch: and tells where, as it is asked" has '^  0x[0-9a-f]+ +demo::hang\(\) at misbehave.cpp:'
    run --arch "$arch" --append reset
    result "$arch: a reset is reported" ended_with 6 'the kernel reset the machine'
    run --arch "$arch" --memory 2M
    result "$arch: too little memory fails, and does not crash" ended_with 1 '^  \[FAIL\] '
    run --arch "$arch" --memory nonsense
    result "$arch: what QEMU refuses is reported" ended_with 3 'QEMU could not boot the kernel'
}

# QEMU without kernel-demo/run, for what that has no option for.
qemu() {
    local system=$1
    shift
    timeout --kill-after=5 60 "qemu-system-$system" -m 64M -display none -no-reboot \
        -device isa-debug-exit,iobase=0xf4,iosize=0x04 "$@"
}

# The machine with the kernel that is made for it.
machine() {
    local arch=$1
    shift
    qemu "$arch" -kernel "build-$arch/kernel-demo/slabheap-demo.boot" "$@"
}

# A module of 200,000 bytes lies in whole pages behind the image, and all of them are the loader's.
test_module() {
    local arch=$1
    status=0
    head -c 200000 /dev/zero >"$work/module"
    output=$(machine "$arch" -initrd "$work/module" -serial stdio | tr -d '\r') || true
    result "$arch: a boot module is kept out of the heap" has " 200 KiB  the loader's records$"
    result "$arch: and the heap does without it" has '^verdict: PASS'
}

# The text on the screen of a kernel that has come to rest, one line per row.
screen_text() {
    python3 -c 'import sys
cells = open(sys.argv[1], "rb").read()[::2].decode("ascii")
print("\n".join(cells[row:row + 80].rstrip() for row in range(0, 24 * 80, 80)))' "$1"
}

test_screen() {
    local arch=$1 seconds=0
    status=0
    {
        until grep -q hanging "$work/serial" 2>/dev/null || [ $seconds = 30 ]; do
            sleep 1
            seconds=$((seconds + 1))
        done
        printf 'pmemsave 0xb8000 4000 "%s"\nquit\n' "$work/screen"
    } | machine "$arch" -append hang -serial "file:$work/serial" -monitor stdio >"$work/monitor" || true
    tr -d '\r' <"$work/serial" | tail -n 24 >"$work/log"
    output=$(screen_text "$work/screen" | diff - "$work/log" && echo same) || true
    result "$arch: the screen shows the end of the serial log" has '^same$'
    rm -f "$work/serial" "$work/screen"
}

test_usage
for arch in "${cpus[@]}"; do
    test_endings "$arch"
    test_module "$arch"
    test_screen "$arch"
done

for arch in "${cpus[@]}"; do
    run --arch "$arch"
    if [ "$arch" = x86_64 ]; then
        result 'x86_64: memory above 4 GiB joins the heap' has '^ +100000000 - .* usable: heap region 3$'
        status=0
        output=$(qemu i386 -cpu pentium3 -kernel build-x86_64/kernel-demo/slabheap-demo.boot \
            -serial stdio) || status=$?
        result 'x86_64: a 32-bit CPU is told so' ended_with 37 'needs a 64-bit CPU'
    else
        result 'i386: memory above 4 GiB is out of reach' has "^ +100000000 - .* out of this CPU's reach$"
    fi
done

[ $failures = 0 ] || { echo "$failures tests failed"; exit 1; }
