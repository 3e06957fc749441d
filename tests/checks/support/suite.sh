#!/usr/bin/env bash
# Runs a test program, bounded in time: suite.sh VARIANT/PROGRAM [doctest's arguments]. A variant is plain, asan or tsan.
set -u
program=$1
shift
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# ThreadSanitizer of older compilers cannot place its shadow when addresses are randomised with many bits.
fixed_addresses=()
if [ "${program%%/*}" = tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then
    fixed_addresses=(setarch "$(uname -m)" -R)
fi
# Text colours would stand in the way of counting; a suite that hangs is a failure, not a wait. At full size
# (SAKE_LONG), F1 alone takes a quarter of an hour and more.
longest=${TEST_TIMEOUT:-${SAKE_LONG:+14400}}
run() {
    timeout --kill-after=10 "${longest:-1200}" "${fixed_addresses[@]}" \
        "${BUILD:-build}/$program" --no-colors=true "$@"
}
[[ $# = 0 && $program == */sake_tests ]] || { run "$@"; exit; }

# The whole suite: in eight parts, two at a time, since most tests wait for something most of the time. In its summary, each
# part counts the cases of the others as passed.
parts=8
count=$(run --count | awk '/unskipped/ { print $NF }')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
run_part() {
    run --first=$((count * $1 / parts + 1)) --last=$((count * ($1 + 1) / parts)) > "$scratch/$1" 2>&1
    echo $? > "$scratch/$1.status"
    cat "$scratch/$1"
}
run_every_second() {
    for ((part = $1; part < parts; part += 2)); do run_part $part; done
}
run_every_second 0 &
run_every_second 1
wait
for ((part = 0; part < parts; ++part)); do
    grep '^\[doctest\] test cases:' "$scratch/$part" | tail -n 1  # those before are of programs that tests ran
done | awk -F '|' -v count="$count" -v parts=$parts '
    { passed += $2; failed += $3; ++ended }
    END { passed -= count * (ended - 1); printf("%d passed, %d failed\n", (passed > 0 ? passed : 0), failed + parts - ended) }'
sort -n "$scratch"/*.status | tail -n 1 | { read -r status; exit "$status"; }
