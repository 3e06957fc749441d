#!/usr/bin/env bash
# S1, S2 and S3 by a program that others wrote: slowhttptest against a server, which must stay available throughout
# and rid itself of every slow connection.
#
#   slow_clients.sh PROGRAM     the built server.cpp beside this file
set -u
program=$1
scratch=$(mktemp -d)
"$program" 127.0.0.1:0 2> "$scratch/log" &
server=$!
trap 'kill -KILL $server 2> /dev/null; rm -rf "$scratch"' EXIT
for _ in $(seq 100); do
    url=$(sed -n 's/.*listening on //p' "$scratch/log")
    [ -n "$url" ] && break
    sleep 0.1
done

# attack NAME CLIENTS PATH ARGS...: the server is asked all the while, and has closed every slow connection before the end.
attack() {
    local name=$1 clients=$2 path=$3 asked=0 answered=0
    shift 3
    timeout 100 slowhttptest -c "$clients" -r 500 -l 60 -u "$url$path" "$@" > "$scratch/report" 2>&1 < /dev/null &
    local attacker=$!
    while kill -0 $attacker 2> /dev/null; do
        asked=$((asked + 1))
        [ "$(curl -s -m 1 -o /dev/null -w '%{http_code}' "$url")" = 200 ] && answered=$((answered + 1))
        sleep 0.5
    done
    sed -i 's/\x1b\[[0-9;]*m//g' "$scratch/report"
    local verdict=FAIL
    [ "$asked" -gt 0 ] && [ "$answered" = "$asked" ] && grep -q 'No open connections left' "$scratch/report" && verdict=ok
    echo "$verdict $name: $answered of $asked requests answered meanwhile; $clients slow clients:" \
        "$(grep -o 'Test ended.*' "$scratch/report"), $(grep -o 'Exit status:.*' "$scratch/report")"
    [ $verdict = ok ] || tail -20 "$scratch/report"
}

attack "S1 heads that trickle" 1000 "" -H -i 2
attack "S2 bodies that trickle" 1000 "" -B -i 2 -s 8192
# More than the kernel takes off the server's hands.
attack "S3 answers that are read slowly" 100 large -X -w 1 -y 10 -n 1 -z 1 -k 1

kill -TERM $server
wait $server
status=$?
[ $status = 0 ] && echo "ok the server ends with status 0" || echo "FAIL the server ends with status $status"
