# For checks that need a bare Debian 12, to source after lib.sh, with $subject set to what they show: a system that
# debootstrap makes in $BUILD/fresh, from the mirror that this machine's apt uses (or FRESH_MIRROR). Needs root and a
# network.
#
# What runs in it lives in namespaces of its own: its mounts and its processes end with the script, however that ends.
mkdir -p "${BUILD:-build}/fresh"
room=$(cd "${BUILD:-build}/fresh" && pwd)
root=$room/root
isolated=(unshare --mount --propagation private --pid --fork --kill-child)

# For what cannot run here: says why, and is no failure.
skip() {
    printf 'skipped: %s\nok %s (skipped)\n' "$*" "$subject"
    exit
}

# The first of apt's sources that has Debian 12's main, in either form of source file.
find_mirror() {
    awk '
        /^deb / { sub(/\[[^]]*\] */, ""); if ($3 == "bookworm" && / main( |$)/) print $2 }
        /^[ \t]*$/ { uri = suites = "" }
        /^URIs:/ { uri = $2 }
        /^Suites:/ { suites = $0 " " }
        /^Components:/ { if (suites ~ / bookworm / && / main( |$)/) print uri }' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2> /dev/null | head -1
}

# The machine's proxies: apt's for the programs that only know the environment, and both for apt in there.
take_proxies() {
    local proxy
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    [ -z "${proxy:-}" ] || export http_proxy="${http_proxy:-$proxy}"
    apt-config dump | grep -i '^Acquire::https\?::.*proxy.* "..*";' > "$room/proxies"
}

# in_there SECONDS COMMAND: runs it in /srv/sake there, with the environment of a first login.
in_there() {
    set_command "$@"
    "${command[@]}" < /dev/null
}
set_command() {
    command=(timeout --foreground "$1" chroot "$root" env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"}
        bash -c "cd /srv/sake && exec $2")
}

# make_system OPTION...: the system, with an empty /srv/sake; the options are debootstrap's.
make_system() {
    debootstrap --variant=minbase "$@" bookworm "$root" "$mirror" && mkdir -p "$root/srv/sake" &&
        cp "$room/proxies" "$root/etc/apt/apt.conf.d/99proxies" && cp -L /etc/hosts /etc/resolv.conf "$root/etc/" &&
        rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin &&
        mount -t proc proc "$root/proc" && mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" &&
        mount -t devpts -o ptmxmode=0666 devpts "$root/dev/pts" &&
        [ -c "$root/dev/null" ] && [ -c "$root/dev/urandom" ]
}

# check NAME LOG COMMAND...: one result; the end of the log, indented so that nothing in it is counted, if it failed.
check() {
    local begin=$SECONDS
    if "${@:3}"; then
        echo "ok $1 ($((SECONDS - begin)) s)"
    else
        echo "FAIL $1"
        tail -n 40 "$room/$2.log" | sed 's/^/    /'
    fi
}

# run_isolated SCRIPT: runs `SCRIPT isolated MIRROR`, which has $mirror, and removes the system that it made.
run_isolated() {
    local inside tool
    [ "$(id -u)" = 0 ] || skip "a bare Debian 12 needs root"
    for tool in debootstrap apt-config git; do have "$tool" || skip "a bare Debian 12 needs $tool"; done
    "${isolated[@]}" true 2> /dev/null || skip 'this system does not let a program make namespaces'
    take_proxies
    mirror=${FRESH_MIRROR:-$(find_mirror)}
    mirror=${mirror:-http://deb.debian.org/debian}
    rm -rf --one-file-system "$root"
    timeout 120 debootstrap --variant=minbase --print-debs bookworm "$room/list" "$mirror" > "$room/system.log" 2>&1 ||
        skip "no Debian 12 to be had from $mirror"
    # In the background, so that a signal is handled at once: whatever runs in there ends with its first process.
    "${isolated[@]}" "$1" isolated "$mirror" &
    inside=$!
    trap 'kill -KILL "$inside"' INT TERM
    wait "$inside"
    wait "$inside" 2> /dev/null  # the first may have been cut short by the signal
    rm -rf --one-file-system "$root"
}
