#!/usr/bin/env bash
# Looks for tools by name; installs the missing ones with apt-get, or says how to install them.
#
#   setup.sh [--optional] NAME...     a NAME is a command, or one of: c++20 doctest nlohmann-json libpq postgresql locales
#
# With --optional, what cannot be had is named and passed over. Quick when everything is there. Targets of one make
# call it side by side: one of them installs at a time, and each looks again before it does.
set -u
optional=
[ "${1:-}" = --optional ] && { optional=1; shift; }

has() {
    case $1 in
        c++20) compiles_cxx20 ;;
        doctest) header doctest/doctest.h ;;
        nlohmann-json) header nlohmann/json.hpp ;;
        libpq) header libpq-fe.h || header postgresql/libpq-fe.h ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null ;;
        locales) [ -e /usr/share/i18n/locales/tr_TR ] ;;
        *) command -v "$1" > /dev/null ;;
    esac
}

# Whether the compiler finds a header; the usual places first, which costs no process.
header() {
    local dir
    for dir in /usr/include /usr/local/include /opt/homebrew/include; do [ -e "$dir/$1" ] && return; done
    echo "#include <$1>" | ${CXX:-g++} -std=c++20 -E -x c++ - > /dev/null 2>&1
}

# Whether the compiler is there and knows the C++20 that Sake needs (g++ 11, clang 14 or newer).
compiles_cxx20() {
    printf '#include <version>\n#if !__cpp_impl_coroutine || !__cpp_lib_jthread\n#error\n#endif\n' |
        ${CXX:-g++} -std=c++20 -E -x c++ - > /dev/null 2>&1
}

# The package of a name on Debian and Ubuntu.
package() {
    case $1 in
        c++20) package "${CXX:-g++}" ;;
        doctest) echo doctest-dev ;;
        libpq) echo libpq-dev ;;
        nlohmann-json) echo nlohmann-json3-dev ;;
        clang++-*) echo "clang-${1#clang++-} libclang-rt-${1#clang++-}-dev" ;;
        ss) echo iproute2 ;;
        clang++) echo "clang libclang-rt-dev" ;;
        *) echo "$1" ;;
    esac
}

missing=()
find_missing() {
    local name
    missing=()
    for name in "$@"; do has "${name%% *}" || missing+=("$name"); done
}

# Runs apt-get, and waits for up to ten minutes while another program holds one of its locks. DPkg::Lock::Timeout
# covers the locks of dpkg only; apt-get gives up at once on those of the lists and the archives.
apt() {
    local as_root=() tries=0 said
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    until said=$("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
        apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" 2>&1 < /dev/null); do
        [[ $said == *"Could not get lock"* || $said == *"Unable to lock"* ]] || { why=$said; return 1; }
        [ $((tries++)) -lt 300 ] || { why=$said; return 1; }
        [ $tries != 1 ] || echo 'waiting: another program is installing packages'
        sleep 2
    done
}

install_missing() {
    local name packages why=
    for name in "${missing[@]}"; do
        read -ra packages <<< "$(package "$name")"
        echo "installing: ${packages[*]}"
        apt install --no-install-recommends "${packages[@]}" && continue
        [ -n "${fresh:-}" ] || { apt update; fresh=1; }
        apt install --no-install-recommends "${packages[@]}" ||
            apt install --no-install-recommends "${packages[0]}" || tail -n 3 <<< "$why"
    done
}

find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

if command -v apt-get > /dev/null; then
    mkdir -p "${BUILD:-build}"
    exec 9> "${BUILD:-build}/setup.lock"
    ! command -v flock > /dev/null || flock 9
    find_missing "$@"
    install_missing
fi

status=0
for name in "${missing[@]}"; do
    has "$name" && continue
    if [ -n "$optional" ]; then
        echo "skipped: $name not available"
    else
        echo "missing: $name$([ "$name" = c++20 ] && echo " (CXX is '${CXX:-g++}')")"
        status=1
    fi
done
if [ $status = 1 ]; then
    cat << 'TEXT'
Sake's tests need a C++20 compiler (g++ 11, clang 14 or newer), GNU make, python3, curl, doctest and nlohmann/json:
  Debian, Ubuntu   apt-get install g++ make python3 curl doctest-dev nlohmann-json3-dev
  Fedora           dnf install gcc-c++ make python3 curl doctest-devel json-devel
  Arch             pacman -S gcc make python curl doctest nlohmann-json
  macOS            brew install make doctest nlohmann-json
TEXT
fi
exit $status
