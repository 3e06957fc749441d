#!/usr/bin/env python3
"""The compute layer against what people would pick, in one run: medians of what compute.cpp and compute.rs print.

compute.cpp is built with OpenMP, and with oneTBB where it is installed; compute.rs with Rayon, where cargo finds it
without a network. Above 1 a contender takes longer than Sake.
"""

import argparse
import os
import re
import shutil
import subprocess

from machine import await_quiet
from programs import BENCH, BUILD_DIR, COMPILER, SAKE_FLAGS, build
from rounds import Skipped, attempt, interleaved
from tables import failures_text, good, median_of, number, paragraphs, table

DEBIAN_CRATES = "/usr/share/cargo/registry"
CARGO_TOML = f"""[package]
name = "compute"
version = "0.1.0"
edition = "2021"
[[bin]]
name = "compute"
path = "{BENCH}/compute.rs"
[dependencies]
rayon = "1"
[profile.release]
opt-level = 3
"""
ALWAYS = ("sequential", "sake", "std::async")
OPTIONAL = {("OpenMP", "OpenMP dynamic"): ("-fopenmp",), ("oneTBB", "std::execution::par"): ("-DWITH_TBB", "-ltbb")}
PROBE = "#ifdef WITH_TBB\n#include <tbb/parallel_for.h>\n#endif\nint main() {}\n"


def compiles(flags, directory):
    """Whether a program that needs these flags can be built here."""
    command = [COMPILER, "-std=c++20", "-x", "c++", "-", "-o", str(directory / "probe"), *flags]
    return subprocess.run(command, input=PROBE, capture_output=True, text=True, timeout=60).returncode == 0


def build_cpp(directory):
    """The contenders of compute.cpp with their command lines, and the names of those that cannot be built here."""
    names, missing, flags = list(ALWAYS), [], list(SAKE_FLAGS)
    for contenders, needed in OPTIONAL.items():
        if compiles(needed, directory):
            flags += needed
            names += contenders
        else:
            missing += contenders
    program = str(build("compute.cpp", directory, tuple(flags)))
    return {name: [program, name] for name in names}, missing


def build_rayon(directory):
    crate = directory / "rayon"
    crate.mkdir(parents=True, exist_ok=True)
    (crate / "Cargo.toml").write_text(CARGO_TOML)
    command = ["cargo", "build", "--release", "--offline"]
    if os.path.isdir(DEBIAN_CRATES):
        command += ["--config", 'source.crates-io.replace-with="debian"', "--config",
                    f'source.debian.directory="{DEBIAN_CRATES}"']
    if shutil.which("cargo") is None or subprocess.run(command, cwd=crate, capture_output=True, timeout=300).returncode:
        raise Skipped("cargo does not build it")
    return [str(crate / "target/release/compute")]


def run(command):
    await_quiet()
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    return {name: int(value) for name, value in re.findall(r"^(.*): (\d+)$", output, re.M)}


def measure_compute(rounds, directory):
    """The nanoseconds of each round by contender, and who is missing."""
    contenders, missing = build_cpp(directory)
    rayon = attempt(build_rayon, directory)
    if "failed" in rayon:
        missing.append("Rayon")
    else:
        contenders["Rayon"] = rayon
    figures = interleaved({name: lambda c=command: run(c) for name, command in contenders.items()}, rounds)
    return {"figures": figures, "missing": missing, "cpus": len(os.sched_getaffinity(0))}


def show(nanoseconds):
    return f"{nanoseconds / 1e6:,.2f} ms" if nanoseconds >= 1e5 else f"{nanoseconds / 1e3:,.2f} us"


def compute_text(found):
    figures, cpus = found["figures"], found["cpus"]
    others = [name for name in figures if name != "sake"]
    rows = []
    for work in next(iter(good(figures["sake"])), {}):
        ours = median_of(figures["sake"], work)
        ratios = {name: median_of(figures[name], work) / ours for name in others if good(figures[name])}
        is_empty = work.startswith("empty") or "sequential" not in ratios
        used = "-" if is_empty else f"{ratios['sequential'] / cpus:.2f}"
        rows.append([work, show(ours), used, *(number(ratios.get(name), 2) for name in others)])
    counts = sorted({len(good(rounds)) for rounds in figures.values()})
    return paragraphs(
        table(["", "Sake", f"of {cpus} CPUs used", *(f"{name} to Sake" for name in others)], rows),
        f"Medians of {' or '.join(map(str, counts))}.",
        failures_text(figures),
        f"Skipped, since they cannot be built here: {', '.join(found['missing'])}." if found["missing"] else "",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    print(compute_text(measure_compute(parser.parse_args().rounds, BUILD_DIR)))


if __name__ == "__main__":
    main()
