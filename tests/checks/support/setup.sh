#!/usr/bin/env bash
# Looks for tools by name; installs the missing ones with apt-get, or says how to install them.
#
#   setup.sh [--optional] NAME...     a NAME is a command, or one of: c++20 doctest nlohmann-json libpq postgresql locales libc++-19
#                                     openssl zlib brotli zstd sqlite3 python3-MODULE
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
        zlib) header zlib.h ;;
        brotli) header brotli/encode.h ;;
        zstd) header zstd.h ;;
        libpq) header libpq-fe.h || header postgresql/libpq-fe.h ;;
        sqlite3) header sqlite3.h ;;
        openssl) header openssl/core_names.h ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null ;;
        libc++-*) compgen -G "/usr/lib/llvm-${1#libc++-}/include/c++/v1/version" > /dev/null ;;
        python3-*) /usr/bin/python3 -c "import ${1#python3-}" 2> /dev/null ;;  # of the system's Python
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
        sqlite3) echo libsqlite3-dev ;;
        zlib) echo zlib1g-dev ;;
        brotli) echo libbrotli-dev ;;
        zstd) echo libzstd-dev ;;
        openssl) echo libssl-dev ;;
        nlohmann-json) echo nlohmann-json3-dev ;;
        clang++-*) echo "clang-${1#clang++-} libclang-rt-${1#clang++-}-dev" ;;
        libc++-*) echo "$1-dev libc++abi-${1#libc++-}-dev" ;;
        node) echo nodejs ;;
        ss) echo iproute2 ;;
        ninja) echo ninja-build ;;
        dh) echo debhelper ;;
        dpkg-buildpackage) echo dpkg-dev ;;
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

# Runs apt-get as root. While another program holds one of its locks, tries again for up to ten minutes: apt-get itself
# can wait for the locks of dpkg, but not for those of the package lists and of the archives. What it printed is in
# $said. Descriptor 9, the lock below, is closed for it: a service that a package starts would keep it for ever.
apt() {
    local as_root=() waited=0
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    until said=$("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
        apt-get -q -y "$@" 2>&1 < /dev/null 9>&-); do
        [[ $said == *"Could not get lock"* || $said == *"locked by another process"* ]] || return 1
        [ "$waited" -lt 600 ] || return 1
        [ "$waited" != 0 ] || echo 'waiting: another program is installing packages'
        sleep 2
        waited=$((waited + 2))
    done
}

# Package lists may be absent or old: they are fetched when an installation fails, once.
install() {
    apt install --no-install-recommends "$@" && return
    [ -z "${is_updated:-}" ] || return 1
    is_updated=1
    apt update && apt install --no-install-recommends "$@"
}

# All at once, which is quicker; if that fails, one by one, so that one package that does not exist costs no other.
install_missing() {
    local name packages=() said=
    for name in "${missing[@]}"; do read -ra packages <<< "${packages[*]} $(package "$name")"; done
    echo "installing: ${packages[*]}"
    install "${packages[@]}" && return
    for name in "${packages[@]}"; do install "$name" || tail -n 3 <<< "$said"; done
}

find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

can_install=
if command -v apt-get > /dev/null && { [ "$(id -u)" = 0 ] || command -v sudo > /dev/null; }; then
    can_install=1
    mkdir -p "${BUILD:-build}"
    exec 9> "${BUILD:-build}/setup.lock"
    # Without flock there are no turns here, and only apt-get's own locks.
    ! command -v flock > /dev/null || flock 9
    find_missing "$@"
    [ ${#missing[@]} = 0 ] || install_missing
    exec 9>&-
fi

find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0
if [ -n "$optional" ]; then
    printf 'skipped: %s not available\n' "${missing[@]}"
    exit 0
fi
packages=()
for name in "${missing[@]}"; do
    echo "missing: $name$([ "$name" = c++20 ] && echo " (a C++20 compiler: g++ 11, clang 14 or newer; CXX is '${CXX:-g++}')")"
    read -ra packages <<< "${packages[*]} $(package "$name")"
done
if command -v apt-get > /dev/null; then
    [ -n "$can_install" ] || echo 'nothing was installed: apt-get needs root, or sudo. As root:'
    echo "  apt-get update && apt-get install --no-install-recommends ${packages[*]}"
else
    cat << 'TEXT'
Sake's tests need a C++20 compiler (g++ 11, clang 14 or newer), GNU make, python3, curl, doctest and nlohmann/json,
and the libraries that programs need not have: OpenSSL 3, zlib, Brotli and zstd:
  Fedora           dnf install gcc-c++ make python3 curl doctest-devel json-devel openssl-devel zlib-devel brotli-devel libzstd-devel
  Arch             pacman -S gcc make python curl doctest nlohmann-json openssl zlib brotli zstd
  macOS            brew install make doctest nlohmann-json openssl@3 zlib brotli zstd
TEXT
fi
exit 1
