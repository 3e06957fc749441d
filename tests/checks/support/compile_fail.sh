#!/usr/bin/env bash
# Programs that must not compile: each tests/compile_fail/*.cpp opens with `// expect: words`, and the compiler must
# refuse it and print these words. A program whose words are `(compiles)` is a control, and must compile.
# Compiled as the plain suite is, on its precompiled header, and up to the first error only.
set -u
shopt -s nullglob
plain=${BUILD:-build}/plain
compiler="$(cat "$plain/compiler") -include $plain/programs.hpp -Wfatal-errors"

attempt() {
    local file=$1 expected output status
    expected=$(sed -n '1s,^// expect: ,,p' "$file")
    [ -n "$expected" ] || { echo "FAIL $file: no '// expect: words' on line 1"; return; }
    output=$(LC_ALL=C $compiler -fsyntax-only "$file" 2>&1)
    status=$?
    if [ "$expected" = "(compiles)" ]; then
        [ $status = 0 ] && echo "ok $file" || echo "FAIL $file: does not compile: $(grep -m1 error <<< "$output")"
    elif [ $status = 0 ]; then
        echo "FAIL $file: compiles"
    elif grep -qF -- "$expected" <<< "$output"; then
        echo "ok $file"
    else
        echo "FAIL $file: refused without the words '$expected': $(grep -m1 error <<< "$output")"
    fi
}
export -f attempt
export compiler

files=(tests/compile_fail/*.cpp)
[ ${#files[@]} -gt 0 ] || { echo "FAIL no programs in tests/compile_fail"; exit 1; }
printf '%s\0' "${files[@]}" | xargs -0 -n1 -P"${JOBS:-$(getconf _NPROCESSORS_ONLN)}" bash -c 'attempt "$0"'
