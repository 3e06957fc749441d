#!/usr/bin/env bash
# Makes the Debian package libsake-dev from a copy of the tree, because dpkg-buildpackage wants debian/ at its top.
#
#   make_deb.sh FOLDER [ARGUMENT...]    the arguments are dpkg-buildpackage's: -b makes no source package
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
version=$(sed -n 's/^#define SAKE_VERSION "\(.*\)"/\1/p' sake/base/version.hpp)
tree=$folder/sake-$version

rm -rf "$tree"
mkdir "$tree"
tar -c --exclude-vcs --exclude=./build --exclude="./${BUILD:-build}" . | tar -x --no-same-owner -C "$tree"
cp -r packaging/debian "$tree/debian"
cd "$tree"
unset MAKEFLAGS MFLAGS MAKELEVEL
dpkg-buildpackage -us -uc "$@"
rm -rf "$tree"
