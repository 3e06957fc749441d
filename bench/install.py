"""What the benchmarks need beyond the compiler: installs it, says so, and passes over what cannot be had."""

import os
import shutil
import subprocess
import sys

from programs import NODE_MODULES, NPM_PACKAGES

# Debian's packages, and a file or command by which each is known to be there.
PACKAGES = {
    "g++": "g++",
    "nlohmann-json3-dev": "/usr/include/nlohmann/json.hpp",
    "wrk": "wrk",
    "valgrind": "valgrind",
    "libboost-dev": "/usr/include/boost/beast.hpp",
    "libcpp-httplib-dev": "/usr/include/httplib.h",
    "libssl-dev": "/usr/include/openssl/ssl.h",
    "nginx-light": "/usr/sbin/nginx",
    "golang-go": "go",
    "golang-github-gin-gonic-gin-dev": "/usr/share/gocode/src/github.com/gin-gonic/gin",
    "golang-github-gorilla-websocket-dev": "/usr/share/gocode/src/github.com/gorilla/websocket",
    "libwebsockets-dev": "/usr/include/libwebsockets.h",
    "python3-websockets": "/usr/lib/python3/dist-packages/websockets",
    "python3-matplotlib": "/usr/lib/python3/dist-packages/matplotlib",
    "nodejs": "node",
    "npm": "npm",
    "libtbb-dev": "/usr/include/tbb/parallel_for.h",
    "cargo": "cargo",
    "librust-rayon-dev": "/usr/share/cargo/registry/rayon-1*",
}
MINUTES = 10  # for one package, with all that it needs


def is_there(mark):
    directory, _, name = mark.rpartition("/")
    if not directory:
        return shutil.which(mark) is not None
    if name.endswith("*"):
        return os.path.isdir(directory) and any(entry.startswith(name[:-1]) for entry in os.listdir(directory))
    return os.path.exists(mark)


def succeeds(command):
    if shutil.which(command[0]) is None:
        return False
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=MINUTES * 60)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def say(name, is_installed):
    print(f"installing {name}: {'done' if is_installed else 'cannot be had here'}", flush=True)


def install_packages():
    missing = [package for package, mark in PACKAGES.items() if not is_there(mark)]
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    if missing:
        succeeds([*apt, "update"])
    for package in missing:  # one by one: what cannot be had does not keep the others out
        say(package, succeeds([*apt, "install", "--no-install-recommends", package]))


def install_npm():
    """Fastify, ws and Bun, into the build directory."""
    if all((NODE_MODULES / package.rpartition("@")[0]).exists() for package in NPM_PACKAGES):
        return
    NODE_MODULES.parent.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(NODE_MODULES.parent), *NPM_PACKAGES]
    say(", ".join(NPM_PACKAGES), succeeds(command))


def install():
    if sys.platform == "linux":
        install_packages()
    install_npm()
