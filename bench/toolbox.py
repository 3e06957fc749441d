#!/usr/bin/env python3
"""The async toolbox against goroutines, in one run: medians of what toolbox.cpp (-O2) and toolbox.go print, in turn."""

import argparse
import re
import subprocess

from machine import await_quiet
from programs import BUILD_DIR, SAKE_FLAGS, build
from rounds import FAILURES, interleaved
from tables import Row, failures_text, goal_table, good, median_of, number, paragraphs, table

SOURCES = {"sake": ("toolbox.cpp", SAKE_FLAGS), "go": ("toolbox.go", ())}
BYTES = "bytes per waiting task"
GOAL = {
    BYTES: Row(
        BYTES, "", 0, at_most=200,
        shortfall="each waits in frames of its own, with a timer; fewer and smaller frames would mend it.",
    ),
}


def run(program):
    """The figures that a program prints, and the lines that are none."""
    await_quiet()
    output = subprocess.run([program], capture_output=True, text=True, check=True, timeout=300).stdout
    figures = {name: int(value) for name, value in re.findall(r"^(.*): (\d+)$", output, re.M)}
    rest = [line for line in output.splitlines() if not re.search(r": \d+$", line)]
    return {**figures, "rest": rest}


def measure_toolbox(rounds, directory):
    """found[name] is a list with the figures of each round; a single failure where the program does not build."""
    programs, found = {}, {}
    for name, (source, flags) in SOURCES.items():
        try:
            program = str(build(source, directory, flags))
            programs[name] = lambda program=program: run(program)
        except FAILURES as reason:
            found[name] = [{"failed": str(reason)}]
    return {**interleaved(programs, rounds), **found}


def toolbox_text(found):
    sake, go = good(found["sake"]), good(found["go"])
    names = [name for name in (sake[0] if sake else {}) if name != "rest"]
    rows = []
    for name in names:
        ours = median_of(sake, name)
        theirs = median_of(go, name) if go and name in go[0] else None
        rows.append([name, number(ours), number(theirs), number(ours / theirs, 2) if theirs else "-"])
    return paragraphs(
        table(["", "Sake", "goroutines", "Sake to goroutines"], rows),
        f"Medians of {len(sake)} and {len(go)}.",
        failures_text(found),
        *("  \n".join(r["rest"]) for r in sake[-1:]),
        goal_table(GOAL, {BYTES: [r[BYTES] for r in sake]}),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    print(toolbox_text(measure_toolbox(parser.parse_args().rounds, BUILD_DIR)))


if __name__ == "__main__":
    main()
