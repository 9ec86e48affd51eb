# SPDX-License-Identifier: MIT
#
# What a boot was worth: kernel-demo/run reads this. The kernel's end is in QEMU's exit status, and how it got
# there in $log and $record, which were written while it ran.

# What the addresses of the log's backtraces are called. A backtrace begins where the CPU was, if it was
# stopped there by an exception or by another CPU; any other address is behind a call.
name_backtraces() {
    local line title=backtrace is_inside=false address call_bytes is_exact=false
    while IFS= read -r line; do
        case $line in
            'exception '*) is_exact=true ;;
            'CPU '*) title=${line%%,*} is_exact=true is_inside=false ;;
            backtrace)
                echo "$title, by name"
                is_inside=true call_bytes=1
                if $is_exact; then call_bytes=0; fi ;;
            '  0x'*)
                $is_inside || continue
                for address in $line; do
                    printf '  %-10s ' "$address"
                    printf '%x\n' $((${address%\?} - call_bytes)) |
                        addr2line -Cfps -e "$build/kernel-demo/slabheap-demo.elf" |
                        sed 's/(anonymous namespace):://g'
                    call_bytes=1
                done ;;
        esac
    done <"$log"
}

# Whether the kernel got as far as to obey its keyboard.
is_under_keys() { grep -q '"event":"ready"' "$record"; }

# The kernel's end, from QEMU's exit status: 2v + 1 for the verdict v of kernel-demo/machine.h.
judge() {
    [ "$1" != 33 ] || return 0
    if [ -f "$work/late" ]; then
        is_under_keys && die $hung "nobody quit: stopped after $seconds seconds; --timeout allows more"
        name_backtraces >&2
        die $hung "the kernel hung: stopped after $seconds seconds without a verdict"
    fi
    case $1 in
        35) die $failed "the kernel's verdict is FAIL" ;;
        37) name_backtraces >&2; die $crashed "the kernel crashed" ;;
        39) name_backtraces >&2; die $hung "the kernel hung, as its watchdog says" ;;
        0)
            is_under_keys && { echo "kernel-demo/run: the window was closed" >&2; exit 0; }
            die $was_reset "the kernel reset the machine: a triple fault, most likely" ;;
        *) cat "$build/qemu.log" >&2; die $not_built "QEMU could not boot the kernel (status $1)" ;;
    esac
}

# What a good log has, one extended regular expression per line.
expected_lines() {
    local version
    version=$(awk '/define SLABHEAP_VERSION_/ { printf "%s%s", dot, $3; dot = "\\." }' \
        include/slabheap/slabheap.h)
    cat <<END
slabheap $version on $arch: .*
  slab_heap_init\(0x[0-9a-f]+, [0-9]+\) = 0: .*
  slab_alloc\([0-9]+, [0-9]+\) = 0x[0-9a-f]+: the kernel's stack, .*
  slab_free\(0x[0-9a-f]+\): .*
  slab_heap_add_memory\(0x[0-9a-f]+, [0-9]+\) = 0: .*
 .* page 0, never handed out
 .* the loader's records
 .* the kernel's image
 .* reserved
 .* usable: heap region 0
 .* usable: heap region 1
 .* usable: heap region 2
  \[ok\]   started \.* $cpus running: .*
  \[ok\]   the heap's CPUs \.* $cpus, .*
END
    if $storm; then expected_of_storm; else expected_of_demonstration; fi
    expected_checks invariants books
}

expected_checks() {
    local name
    for name; do echo "  \[ok\]   $name \.* .*"; done
}

expected_of_demonstration() {
    local size
    for size in 64 128 256 512 1024 2048 4096; do expected_checks "$size-byte class"; done
    expected_checks calloc 'impossible requests' realloc '20 KiB' '1 MiB' '100 bytes at 64 KiB' 'page runs' \
        'reserve and release' exhaustion recovery 'out-of-memory hook' 'double free' 'interior free' \
        'misaligned free' 'foreign free' 'wrong size' 'wrong page count' 'life after misuse'
    cat <<END
 +slab_free: double free of 0x[0-9a-f]+: the 128-byte block at.*
    [.#a-gA-GlL]{8,64}
END
}

expected_of_storm() {
    local cpu
    for ((cpu = 0; cpu < cpus; cpu++)); do echo " +$cpu( +[1-9][0-9]*){3} +[0-9]+( +[1-9][0-9]*){2}"; done
    if [ "$cpus" != 1 ]; then expected_checks 'racing frees'; fi
    expected_checks 'what a storm needs' "the CPUs' shares" blocks requests 'heap after the storm' \
        exhaustion recovery
}

# Adds to the number of checks; dies, after the log, when one fails.
checks=0
check_log() {
    local missed=0 line passed
    checks=$((checks + 2))
    while IFS= read -r line; do
        checks=$((checks + 1))
        grep -Exq -- "$line" "$log" && continue
        missed=$((missed + 1))
        echo "kernel-demo $arch: the log has no line like '$line'" >&2
    done < <(expected_lines)
    passed=$(grep -c '^  \[ok\] ' "$log")
    if [ "$(tail -n 1 "$log")" != "verdict: PASS ($passed checks)" ]; then
        missed=$((missed + 1))
        echo "kernel-demo $arch: the log does not end with the verdict on its $passed passed checks" >&2
    fi
    line='{"event":"verdict","passed":true,"checks":'$passed',"failed":0}'
    if [ "$(tail -n 1 "$record")" != "$line" ]; then
        missed=$((missed + 1))
        echo "kernel-demo $arch: the record does not end with the verdict on $passed passed checks" >&2
    fi
    [ $missed = 0 ] || { cat "$log"; die $failed "$missed of $checks checks of the log failed"; }
}

# Boots the kernel and checks its end and its log.
check_boot() {
    local status=0
    boot >/dev/null || status=$?
    [ $status = 33 ] || cat "$log"
    judge $status
    check_log
}
