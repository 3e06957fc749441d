#!/usr/bin/env bash
# Says in a few lines what failed in the steps that were recorded in $BUILD/results: whoever sees only the end of a long
# log sees it too.
set -u
for counts in "${BUILD:-build}"/results/*.txt; do
    read -r _ _ failed _ < "$counts"
    [ "$failed" -gt 0 ] || continue
    echo "-- $(basename "$counts" .txt): $(cat "$counts")"
    awk '/TEST CASE:/ { name = $0 }
        /ERROR: |^FAIL |^HUNG|runtime error|^[A-Za-z]*Error: |^make.*Error/ { if (name != "") print name; name = ""; print }' \
        "${counts%.txt}.log" | head -40
done
