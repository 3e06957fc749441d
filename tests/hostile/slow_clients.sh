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

url=${url%/}

# connections: how many the server's side still has, those included that only the kernel knows any more.
connections() {
    ss -Htn exclude listening exclude time-wait "( sport = :${url##*:} )" | wc -l
}

# attack NAME CLIENTS PATH ARGS...: the server is asked all the while, and rids itself of every slow connection. Only its
# own side can tell: a client that does not read does not see its connection end.
attack() {
    local name=$1 clients=$2 path=$3 asked=0 answered=0 most=0 left=0 gone=
    shift 3
    local begin=$SECONDS
    timeout 100 slowhttptest -c "$clients" -r 500 -l 60 -u "$url/$path" "$@" > "$scratch/report" 2>&1 < /dev/null &
    local attacker=$!
    # Five seconds are slowhttptest's own measure: the hundred large answers alone are a gigabyte to be made at once.
    while [ -z "$gone" ] && [ $((SECONDS - begin)) -lt 60 ]; do
        asked=$((asked + 1))
        [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' "$url")" = 200 ] && answered=$((answered + 1))
        sleep 0.5
        left=$(connections)
        [ "$left" -gt "$most" ] && most=$left
        [ "$most" -ge $((clients / 2)) ] && [ "$left" = 0 ] && gone=$((SECONDS - begin))
    done
    kill -TERM $attacker 2> /dev/null
    wait $attacker 2> /dev/null
    local verdict=FAIL
    [ "$answered" = "$asked" ] && [ -n "$gone" ] && verdict=ok
    echo "$verdict $name: $answered of $asked requests answered meanwhile; $most connections at most," \
        "$([ -n "$gone" ] && echo "none after $gone s" || echo "$left left")"
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
