#!/usr/bin/env python3
"""The compute layer against what people would pick, in one run: compute.py [ROUNDS]

Builds compute.cpp (-O2; with OpenMP, and with oneTBB where it is installed) and compute.rs (with Rayon, where cargo
finds it without a network), runs every contender in turn, and prints the best of each figure and its ratio to Sake's:
above 1 the contender is slower.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(here)
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
DEBIAN_CRATES = "/usr/share/cargo/registry"
CARGO_TOML = f"""[package]
name = "compute"
version = "0.1.0"
edition = "2021"
[[bin]]
name = "compute"
path = "{here}/compute.rs"
[dependencies]
rayon = "1"
[profile.release]
opt-level = 3
"""


def builds(command, **options):
    return subprocess.run(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options).returncode == 0


def build_cpp(directory):
    """The contenders of compute.cpp that can be built here, and the names of the others."""
    program = os.path.join(directory, "compute")
    command = [os.environ.get("CXX", "g++"), "-std=c++20", "-O2", "-pthread", "-I", f"{root}/single_include",
               f"{here}/compute.cpp", "-o", program]
    parts = {"OpenMP, OpenMP dynamic": ["-fopenmp"], "oneTBB, std::execution::par": ["-DWITH_TBB", "-ltbb"]}
    probe = os.path.join(directory, "probe.cpp")
    with open(probe, "w", encoding="utf-8") as file:
        file.write("#ifdef WITH_TBB\n#include <tbb/parallel_for.h>\n#endif\nint main() {}\n")
    names, missing = "sequential, sake, std::async".split(", "), []
    for part, flags in parts.items():
        if builds([command[0], "-std=c++20", probe, "-o", probe + ".out", *flags]):
            command += flags
            names += part.split(", ")
        else:
            missing += part.split(", ")
    subprocess.run(command, check=True)
    return {name: [program, name] for name in names}, missing


def build_rayon(directory):
    with open(os.path.join(directory, "Cargo.toml"), "w", encoding="utf-8") as file:
        file.write(CARGO_TOML)
    cargo = ["cargo", "build", "--release", "--offline"]
    if os.path.isdir(DEBIAN_CRATES):
        cargo += ["--config", 'source.crates-io.replace-with="debian"', "--config",
                  f'source.debian.directory="{DEBIAN_CRATES}"']
    built = shutil.which("cargo") and builds(cargo, cwd=directory)
    return [os.path.join(directory, "target/release/compute")] if built else None


def figures(command):
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    return {name: int(value) for name, value in re.findall(r"^(.*): (\d+)$", output, re.M)}


def show(nanoseconds):
    return f"{nanoseconds / 1e6:,.2f} ms" if nanoseconds >= 1e5 else f"{nanoseconds / 1e3:,.2f} us"


with tempfile.TemporaryDirectory() as directory:
    contenders, missing = build_cpp(directory)
    if rayon := build_rayon(directory):
        contenders["Rayon"] = rayon
    else:
        missing.append("Rayon")
    best = {name: {} for name in contenders}
    for _ in range(rounds):
        for name, command in contenders.items():
            for figure, value in figures(command).items():
                best[name][figure] = min(best[name].get(figure, value), value)

cpus = len(os.sched_getaffinity(0))
for figure, value in best["sake"].items():
    print(f"{figure}: sake {show(value)}" + (
        "" if figure.startswith("empty") else f", {best['sequential'][figure] / value / cpus:.2f} of {cpus} CPUs used"))
    for name in contenders:
        if name != "sake":
            print(f"    {name:20} {show(best[name][figure]):>12}  {best[name][figure] / value:8.2f}")
if missing:
    print("not installed: " + ", ".join(missing))
