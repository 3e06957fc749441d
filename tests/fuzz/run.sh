#!/usr/bin/env bash
# run.sh TARGET SECONDS: fuzzes one target from its seeds and from what earlier runs have kept.
set -u
build=${BUILD:-build}/fuzz
seeds=$(dirname "$0")/corpus/$1
corpus=$build/corpus/$1
mkdir -p "$corpus" "$build/found"
[ -d "$seeds" ] || seeds=
# Ten times as many runs where inputs are quick, since no memory goes back to the system after each.
export ASAN_OPTIONS=allocator_release_to_os_interval_ms=-1:quarantine_size_mb=16
if FUZZ_TARGET=$1 "$build/fuzzer" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/found/$1-" \
    -print_final_stats=1 "$corpus" $seeds > "$build/$1.log" 2>&1; then
    echo "ok $1: $(awk '/number_of_executed_units/ { print $2 }' "$build/$1.log") runs, $(find "$corpus" -type f | wc -l) inputs kept"
else
    tail -40 "$build/$1.log"
    echo "FAIL $1: see $build/$1.log and $build/found"
fi
