#!/usr/bin/env bash
# Runs one step and records how much of it passed.
#
#   record.sh GROUP-STEP COMMAND...   run it; write "N passed, N failed" to $BUILD/results/GROUP-STEP.txt and print it
#   record.sh --total GROUP           print the sum of the group alone on the last line; exit 1 if anything failed
#
# Counted are doctest's summary, or lines `ok NAME` and `FAIL NAME`, or a last line "N passed, N failed". A step that
# dies, or says nothing that can be counted, is a failure of its own. A recorded step never ends make: --total does.
# What each took is printed, by the clock and of a CPU, because the sum has a limit (.ci/run).
set -u
results=${BUILD:-build}/results
mkdir -p "$results"

if [ "${1:-}" = --total ]; then
    cat "$results/$2"-*.txt 2>/dev/null | awk '{ passed += $1; failed += $3 }
        END { if (!NR) failed = 1; printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }'
    exit
fi

step=$1
shift
log=$results/$step.log
case $step in
    *-suite) "$@" 2>&1 | tee "$log" ;;  # long: shown as it goes
    *) "$@" > "$log" 2>&1 ;;            # short, and next to others: shown when done, without what is fine
esac
status=${PIPESTATUS[0]}

counts=$(awk -v status="$status" '
    { gsub(/\033\[[0-9;]*m/, "") }
    /^\[doctest\] test cases:/ { split($0, column, "|"); passed = column[2] + 0; failed = column[3] + 0; counted = 1 }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed = $1; failed = $3; counted = 1 }
    /^ok / { ok++ }
    /^FAIL / { bad++ }
    END {
        if (!counted) { passed = ok + 0; failed = bad + 0 }
        if (failed == 0 && (status != 0 || passed == 0)) failed = 1
        printf "%d passed, %d failed", passed, failed
    }' "$log")
case $step in
    *-suite) ;;
    *) grep -v '^ok ' "$log" ;;
esac
[ "$status" = 0 ] || echo "$step: ended with status $status"
echo "$counts" > "$results/$step.txt"
times > "$log.times"
cpu=$(awk -F '[ms ]' 'NR == 2 { printf "%d", $1 * 60 + $2 + $4 * 60 + $5 }' "$log.times")
rm "$log.times"
# The colon keeps this line apart from a total, which stands alone.
echo "$step: $counts, in $SECONDS s, $cpu s of a CPU"
exit 0
