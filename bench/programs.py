"""The servers that take part and the clients: how each is built and started, and which version it is."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from machine import first_line_of
from rounds import Skipped

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
BUILD_DIR = ROOT / "build" / "bench"
FILE = BUILD_DIR / "files" / "mebibyte"  # the static file; every server finds its path in MEBIBYTE

COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-O2", "-pthread"] + os.environ.get("CXXFLAGS", "").split()
LINK_FLAGS = os.environ.get("LDFLAGS", "").split()
SAKE_FLAGS = ("-I", str(ROOT / "single_include"))

# As Debian's library was built: its classes are laid out otherwise without these.
HTTPLIB_FLAGS = ("-DCPPHTTPLIB_OPENSSL_SUPPORT", "-DCPPHTTPLIB_ZLIB_SUPPORT", "-DCPPHTTPLIB_BROTLI_SUPPORT")
HTTPLIB_LIBRARIES = ("-lcpp-httplib", "-lssl", "-lcrypto")

@dataclass(frozen=True)
class Program:
    """A server: a source to compile, or a command line that is ready. The port is its last argument."""

    name: str
    source: str = ""
    flags: tuple = ()
    command: tuple = ()
    environment: tuple = ()  # pairs
    version: tuple = ()  # a command whose first line of output it is
    optional: bool = True
    lacks: tuple = ()  # paths that have no natural counterpart in it
    file: str = "memory"  # where its answer of 1 MiB comes from
    sleeps: bool = False  # takes part in the part of many requests asleep, for which it has /sleep/MS
    uses_malloc: bool = True  # what it keeps is on the heap of the C library
    most_connections: int = 19_000


def debian_version(package):
    return ("dpkg-query", "-W", "-f", "${Version}", package)


NODE_MODULES = BUILD_DIR / "npm" / "node_modules"
NPM_PACKAGES = ("fastify@5", "@fastify/static@8", "ws@8", "@oven/bun-linux-x64@1")
FASTIFY_VERSION = "process.stdout.write(require('fastify/package.json').version)"

PROGRAMS = [
    Program("raw", "raw_epoll.cpp", optional=False),
    Program("sake", "hello.cpp", SAKE_FLAGS, optional=False, sleeps=True,
            version=("git", "-C", str(ROOT), "describe", "--always", "--dirty")),
    Program("nginx", command=("sh", str(BENCH / "peers/nginx.sh"), str(BUILD_DIR / "nginx")), file="file, sendfile",
            version=("/usr/sbin/nginx", "-v"), lacks=("/echo", "/plain/hello", "/onion/hello")),
    Program("beast", "peers/beast.cpp", version=debian_version("libboost-dev"), file="file, file_body",
            lacks=("/plain/hello", "/onion/hello")),
    Program("go", "peers/server.go", environment=(("GOMAXPROCS", "1"),), version=("go", "version"),
            file="file, http.ServeFile", lacks=("/plain/hello",), sleeps=True, uses_malloc=False),
    Program("gin", "peers/gin.go", environment=(("GOMAXPROCS", "1"),), file="file, Context.File",
            version=debian_version("golang-github-gin-gonic-gin-dev"), uses_malloc=False),
    Program("httplib", "peers/httplib.cpp", HTTPLIB_FLAGS + HTTPLIB_LIBRARIES, most_connections=1024,
            file="file, mount point", version=debian_version("libcpp-httplib-dev"),
            lacks=("/plain/hello", "/onion/hello")),
    Program("node", command=("node", str(BENCH / "peers/node.js")), version=("node", "--version"),
            lacks=("/plain/hello", "/onion/hello"), uses_malloc=False),
    Program("fastify", command=("node", str(BENCH / "peers/fastify.js")), lacks=("/onion/hello",),
            environment=(("NODE_PATH", str(NODE_MODULES)),), version=("node", "-e", FASTIFY_VERSION),
            file="file, @fastify/static", uses_malloc=False),
]

RAW, SAKE = PROGRAMS[:2]


def make_file():
    """The file that those send which have static files."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_bytes(b"x" * 1024 * 1024)


# ---- building ---------------------------------------------------------------------------------------------------


def is_fresh(binary, stamp, command):
    if not binary.exists() or not stamp.exists() or stamp.read_text() != command:
        return False
    sources = [*BENCH.glob("*.[cgh]*"), *BENCH.glob("peers/*.*"), *ROOT.glob("single_include/*.hpp")]
    return all(source.stat().st_mtime < binary.stat().st_mtime for source in sources)


def compile_command(source, binary, flags):
    """What builds the source, and the variables of the environment that it needs."""
    if source.endswith(".go"):
        variables = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(binary.parent / "go-cache")}
        return ["go", "build", "-o", str(binary), str(BENCH / source)], variables
    return [COMPILER, *FLAGS, str(BENCH / source), "-o", str(binary), *flags, *LINK_FLAGS], {}


def build_preload(source, directory):
    """Builds a library for LD_PRELOAD."""
    return build(source, directory, ("-shared", "-fPIC"))


def build(source, directory, flags=()):
    """Builds a program of bench/ unless it is there and newer than its sources; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    binary = directory / source.replace("/", "-").replace(".", "-")
    stamp = binary.with_suffix(".command")
    command, variables = compile_command(source, binary, flags)
    if is_fresh(binary, stamp, " ".join(command)):
        return binary
    if shutil.which(command[0]) is None:
        raise Skipped(f"{command[0]} is not installed")
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **variables})
    if result.returncode != 0:
        lines = result.stderr.splitlines()
        errors = [line for line in lines if "error" in line or "cannot find" in line] or lines or ["no message"]
        raise Skipped(f"does not build: {errors[0].strip()}")
    stamp.write_text(" ".join(command))
    return binary


def command_of(program, directory):
    if program.source:
        return [str(build(program.source, directory, program.flags))]
    if shutil.which(program.command[0]) is None:
        raise Skipped(f"{program.command[0]} is not installed")
    return list(program.command)


def version_of(program):
    if not program.version:
        return first_line_of(COMPILER, "--version")
    environment = os.environ.copy()
    os.environ.update(program.environment)
    try:
        return first_line_of(*program.version)
    finally:
        os.environ.clear()
        os.environ.update(environment)
