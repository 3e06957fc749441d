#!/usr/bin/env bash
# replay.sh TARGET...: runs each target over its committed corpus.
set -u
for target in "$@"; do
    corpus=$(dirname "$0")/corpus/$target
    if output=$(timeout 120 "${BUILD:-build}/replay/$target" "$corpus" 2>&1); then
        echo "ok $target: $output"
    else
        echo "$output" | tail -20
        echo "FAIL $target"
    fi
done
