# For check scripts to source: where they work, the strict flags, and `ok` / `FAIL` lines from a command's success.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 1
cxx=${CXX:-g++}
unset MAKEFLAGS MFLAGS MAKELEVEL  # a make started by a check is none of the calling make's jobs
strict=(-std=c++20 -pthread -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wsign-conversion -Werror)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# try NAME COMMAND...: one result; what the command says is shown only when it fails.
try() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then echo "ok $name"; else echo "FAIL $name"; head -30 <<< "$output"; fi
}

# have TOOL: whether it is here; says by name what is skipped for want of it.
have() {
    command -v "$1" > /dev/null || { echo "skipped: $1 not available"; return 1; }
}
