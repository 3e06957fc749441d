#!/usr/bin/env bash
# Starts every example on a free port and tries the curl lines of its head comment: the answers written there
# are the ones that have to come. Then it ends each by SIGTERM and expects exit status 0. An example whose comment
# has lines with ./NAME is no server: it is run as they say, to its end.
#
#   examples.sh BUILD_DIR     the programs are BUILD_DIR/examples/NAME, one for each examples/NAME.cpp but postgres and import
#
# The form of a head comment, in which "..." stands for anything:
#
#   curl ARGS...    # STATUS BODY      the answer, here or on a line of its own
#       ARGS...                        more of the line before
#   ./NAME ARGS...                     in a directory of its own; exit status 0
#     # Name: value                    a header of the last answer
#     # stderr: TEXT                   a line that the program logs
#     # stdout: TEXT                   a line that the program prints
#     # no answer                      curl gave up
set -u
export LC_ALL=C
[ $# = 1 ] || { echo "usage: $0 BUILD_DIR" >&2; exit 2; }
programs=$(cd "$1/examples" && pwd)
sources=$(dirname "$0")/../examples
patience=10  # seconds, for each thing that is waited for

scratch=$(mktemp -d)
export TMPDIR=$scratch  # for what examples store
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid"; rm -rf "$scratch"' EXIT
passed=0
failed=0

# result NAME OK [SEEN]: counts and prints one check; OK is a command's exit status.
result() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
        echo "ok $1"
    else
        failed=$((failed + 1))
        echo "FAIL $1${3+, but: $3}"
    fi
}

# like TEXT EXPECTED: whether they are the same but for "...".
like() {
    local glob
    glob=$(printf '%s' "$2" | sed 's/[^a-zA-Z0-9]/\\&/g; s/\\\.\\\.\\\./*/g')
    # shellcheck disable=SC2053  # a pattern on purpose
    [[ $1 == $glob ]]
}

# hear FD EXPECTED: reads what the program says until the line comes. $heard is all that was read.
hear() {
    local line
    heard=
    while IFS= read -r -t $patience -u "$1" line; do
        heard+="$line;"
        like "$line" "$2" && return
    done
    return 1
}

start() {
    mkfifo "$scratch/stderr"
    "$programs/$name" 127.0.0.1:0 2> "$scratch/stderr" &
    pid=$!
    exec 3< "$scratch/stderr"
    hear 3 'sake: listening on http://127.0.0.1:.../'
    local ok=$?
    result "$name: starts" $ok "$heard"
    port=${heard##*:}
    port=${port%/;}
    return $ok
}

stop() {
    local status=0
    kill -TERM "$pid"
    while [ $status = 0 ]; do  # until the program closes its end, or says nothing for too long
        IFS= read -r -t $patience -u 3 _
        status=$?
    done
    [ $status -le 128 ] || kill -KILL "$pid"
    wait "$pid"
    status=$?
    pid=
    exec 3<&-
    rm "$scratch/stderr"
    result "$name: ends with status 0 after SIGTERM" $status "status $status"
}

fetch() { curl --disable --silent --include --noproxy '*' --max-time $patience "$@" < /dev/null; }

# ask COMMAND: runs a curl line; the answer is in $status, $head and $body, curl's own exit status in $curl.
ask() {
    local answer command=${1//127.0.0.1:8080/127.0.0.1:$port}
    question="$name: $1"
    questions=$((questions + 1))
    answer=$(eval "${command/#curl/fetch}"; printf '.%s' $?)  # the dot keeps the line feeds before it
    curl=${answer##*.}
    answer=${answer%.*}
    head=${answer%%$'\r\n\r\n'*}
    body=${answer#*$'\r\n\r\n'}
    status=${head#HTTP/1.1 }
    status=${status:0:3}
}

# invoke COMMAND: runs the program as the line says.
invoke() {
    question="$name: ./$1"
    questions=$((questions + 1))
    answers=$((answers + 1))
    mkdir -p "$scratch/run"
    (cd "$scratch/run" && eval "timeout 60 \"$programs\"/$1") > "$scratch/stdout" 2> "$scratch/stderr" < /dev/null
    result "$question: ends with status 0" $?
    exec 3< "$scratch/stderr" 4< "$scratch/stdout"
    rm "$scratch/stderr"
}

# expect EXPECTATION: compares the last answer with one line of the comment.
expect() {
    case $1 in 'no answer' | [1-5][0-9][0-9]*) answers=$((answers + 1)) ;; esac
    case $1 in
        'no answer')
            [ "$curl" = 28 ]  # out of time
            result "$question: no answer" $? "curl's exit status $curl, $status $body"
            ;;
        [1-5][0-9][0-9] | [1-5][0-9][0-9]' '*)
            like "$status $body" "${1:0:3} ${1:4}"
            result "$question: $1" $? "$status $body"
            ;;
        'stderr: '*)
            hear 3 "${1#stderr: }"
            result "$question: $1" $? "$heard"
            ;;
        'stdout: '*)
            hear 4 "${1#stdout: }"
            result "$question: $1" $? "$heard"
            ;;
        *': '*)
            like $'\r\n'"$head"$'\r\n' $'...\r\n'"$1"$'\r\n...'
            result "$question: $1" $? "$head"
            ;;
        *) result "$question: cannot read '$1'" 1 ;;
    esac
}

# follow: goes through the head comment of $source, line by line.
follow() {
    local line expected
    questions=0
    answers=0
    while IFS= read -r line; do
        case $line in
            '//   curl '*)
                expected=
                [ "$line" = "${line#* \# }" ] || expected=${line#* \# }
                read -r line <<< "${line%% \# *}"  # without the spaces at its end
                ask "${line#//   }"
                [ -z "$expected" ] || expect "$expected"
                ;;
            '//   ./'*) invoke "${line#//   ./}" ;;
            '//     # '*) expect "${line#//     \# }" ;;
        esac
    done < <(sed '/^\/\//!q' "$source" | sed -z 's/\n\/\/       \+/ /g')
    [ $questions -gt 0 ] && [ $questions = $answers ]
    result "$name: every line of its comment that asks has an answer" $? "$questions lines, $answers answers"
}

for source in "$sources"/*.cpp; do
    name=$(basename "$source" .cpp)
    case $name in
        postgres) continue ;;  # it needs a database: make peers
        import) continue ;;    # it needs clang 19: make check-module
    esac
    if grep -q "^//   \./$name" "$source"; then
        follow
    else
        start && follow
        stop
    fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
