#!/usr/bin/env bash
# Programs that must not compile: each tests/compile_fail/*.cpp opens with `// expect: words`, and the compiler must
# refuse it with these words, in one error of fewer than ten lines. A program whose words are `(compiles)` is a control,
# and must compile without a warning. Words may go on in the comments of the next lines.
#
#   compile_fail.sh [COMMAND...]   the compiler and its flags; without them, the plain suite's, on its precompiled header,
#                                  and up to the first error only, since g++ takes much longer to find that there is no other
set -u
shopt -s nullglob
plain=${BUILD:-build}/plain
command="${*:-$(cat "$plain/compiler") -include $plain/programs.hpp -Wfatal-errors} -Werror -fsyntax-only"

# Lines of an error without those that only say where in the headers the compiler is: it has more of them the deeper.
own_lines() {
    awk '/^In file included from|^ +from |: In |(required|expansion) (from|of)|^[0-9]+ errors? generated/ { next }
         /note: (in instantiation of|in call to|while )/ { is_context = 1; next }
         /^[^ ]+:[0-9]+:[0-9]+: / { is_context = 0 }
         !is_context { count++ }
         END { print count + 0 }'
}

expected_words() {
    awk 'NR == 1 { if (!sub(/^\/\/ expect: /, "")) exit; words = $0; next }
         !sub(/^\/\/ /, "") { exit }
         { words = words " " $0 }
         END { print words }' "$1"
}

attempt() {
    local file=$1 expected output status errors lines
    expected=$(expected_words "$file")
    [ -n "$expected" ] || { echo "FAIL $file: no '// expect: words' on line 1"; return; }
    output=$(LC_ALL=C $command "$file" 2>&1)
    status=$?
    # Words beside `= delete` stand in a note, which comes behind the first error.
    [ $status = 0 ] || grep -qF -- "$expected" <<< "$output" || output=$(LC_ALL=C ${command/-Wfatal-errors/} "$file" 2>&1)
    errors=$(grep -c ' error: ' <<< "$output")
    lines=$(own_lines <<< "$output")
    if [ "$expected" = "(compiles)" ]; then
        [ $status = 0 ] && echo "ok $file" || echo "FAIL $file: does not compile: $(grep -m1 error <<< "$output")"
    elif [ $status = 0 ]; then
        echo "FAIL $file: compiles"
    elif ! grep -qF -- "$expected" <<< "$output"; then
        echo "FAIL $file: refused without the words '$expected': $(grep -m1 error <<< "$output")"
    elif [[ $file =~ /(rules_(least|range_least|value|twice)|types_(member|reference|struct_with_base|too_many)) ]]; then
        echo "ok $file"  # clang goes on with a constant that it has refused, and finds more: the first error has the words
    elif [ "$errors" != 1 ] || [ "$lines" -ge 10 ]; then
        echo "FAIL $file: $errors errors, $lines lines; one, and fewer than ten, are wanted"
    else
        echo "ok $file"
    fi
}
export -f attempt expected_words own_lines
export command

files=(tests/compile_fail/*.cpp)
[ ${#files[@]} -gt 0 ] || { echo "FAIL no programs in tests/compile_fail"; exit 1; }
printf '%s\0' "${files[@]}" | xargs -0 -n1 -P"${JOBS:-$(getconf _NPROCESSORS_ONLN)}" bash -c 'attempt "$0"'
