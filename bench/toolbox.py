#!/usr/bin/env python3
"""The async toolbox against goroutines, in one run: toolbox.py [ROUNDS]

Builds toolbox.cpp (-O2) and toolbox.go, runs them in turn, and prints the best of each figure and the ratio.
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


def run(program):
    """The figures that a program prints, and the lines that are none."""
    output = subprocess.run([program], capture_output=True, text=True, check=True, timeout=300).stdout
    figures = dict(re.findall(r"^(.*): (\d+)$", output, re.M))
    rest = [line for line in output.splitlines() if not re.search(r": \d+$", line)]
    return {name: int(value) for name, value in figures.items()}, rest


def better(name, one, other):
    return min(one, other) if name.startswith("bytes") else max(one, other)


with tempfile.TemporaryDirectory() as directory:
    sake, go = os.path.join(directory, "sake"), os.path.join(directory, "go")
    subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O2", "-pthread", "-I", f"{root}/single_include",
                    f"{here}/toolbox.cpp", "-o", sake], check=True)
    programs = {"sake": sake}
    if shutil.which("go"):
        subprocess.run(["go", "build", "-o", go, f"{here}/toolbox.go"], check=True, cwd=directory,
                       env={**os.environ, "GOCACHE": directory, "GO111MODULE": "off"})
        programs["go"] = go
    best = {name: {} for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            figures, rest = run(program)
            for figure, value in figures.items():
                best[name][figure] = better(figure, best[name].get(figure, value), value)
            if name == "sake":
                other = rest
    for figure, value in best["sake"].items():
        peer = best.get("go", {}).get(figure)
        print(f"{figure}: {value:,}" + (f", goroutines {peer:,}, ratio {value / peer:.2f}" if peer else ""))
    print("\n".join(other))
