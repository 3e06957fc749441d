#!/usr/bin/env python3
"""What hello world costs to compile: seconds at -O0 and -O2 and stripped size, as ratios to nlohmann/json alone.

Rounds are interleaved, and the medians of user time shown; a program that cannot be compiled is skipped by name.
Debian's cpp-httplib is a header that declares and a library, built beforehand, that defines: it compiles quicker than
upstream's single header.
"""

import argparse
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from machine import children_user_seconds
from programs import BENCH, COMPILER, HTTPLIB_FLAGS, HTTPLIB_LIBRARIES, SAKE_FLAGS
from rounds import turns
from tables import Row, goal_table, number, paragraphs, table

LEVELS = ("-O0", "-O2")
BASE = "nlohmann"
GOAL = {
    "-O0": Row(
        "hello world at -O0, to nlohmann/json alone", at_most=1.5,
        shortfall="what Sake adds is the standard library's headers and the framework's own code; leaving what a "
        "program does not use out of the header would mend it.",
    ),
}


@dataclass(frozen=True)
class Source:
    name: str
    path: Path
    flags: tuple = ()
    libraries: tuple = ()


SOURCES = [
    Source(BASE, BENCH / "compile/nlohmann.cpp"),
    Source("sake", BENCH / "compile/sake.cpp", SAKE_FLAGS),
    Source("httplib", BENCH / "compile/httplib.cpp", HTTPLIB_FLAGS, HTTPLIB_LIBRARIES),
    Source("beast", BENCH / "compile/beast.cpp"),
]


class DoesNotCompile(Exception):
    """The text is what the compiler said."""


def run(*command):
    """User seconds of a compiler and all that it started."""
    before = children_user_seconds()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise DoesNotCompile(errors[0].strip())
    return children_user_seconds() - before


def compile_seconds(source, level, directory):
    output = str(Path(directory) / f"{source.name}.o")
    return run(COMPILER, "-std=c++20", level, "-pthread", *source.flags, "-c", str(source.path), "-o", output)


def stripped_bytes(source, directory):
    """The size of the program, linked from what was compiled last."""
    program = Path(directory) / source.name
    objects = str(program.with_suffix(".o"))
    run(COMPILER, "-pthread", "-s", objects, "-o", str(program), *source.libraries)
    return program.stat().st_size


def measure_compile(rounds):
    """found[name][level] is a list of seconds, found[name]["bytes"] the size; or found[name]["failed"] says why not.
    -O2, which takes long, is compiled half as often."""
    found = {source.name: {level: [] for level in LEVELS} for source in SOURCES}

    def note(source, what, *arguments):
        if "failed" not in found[source.name]:
            try:
                return what(source, *arguments)
            except (DoesNotCompile, OSError, subprocess.TimeoutExpired) as reason:
                found[source.name] = {"failed": str(reason)}
        return None

    with tempfile.TemporaryDirectory() as directory:
        for level, count in zip(LEVELS, (rounds, max(1, rounds // 2))):  # -O2 last: its objects are linked
            for turn in turns(SOURCES, count):
                for source in turn:
                    seconds = note(source, compile_seconds, level, directory)
                    if seconds is not None:
                        found[source.name][level].append(seconds)
        for source in SOURCES:
            size = note(source, stripped_bytes, directory)
            if size is not None:
                found[source.name]["bytes"] = size
    return found


def ratios(found, name, level):
    """Of the time for one program to that for nlohmann/json alone, in each round."""
    return [time / base for time, base in zip(found[name][level], found[BASE].get(level, []))]


def compile_text(found):
    rows = []
    for name, figures in found.items():
        if "failed" in figures:
            rows.append([f"skipped: {name}: {figures['failed']}"] + [""] * 5)
            continue
        cells = []
        for level in LEVELS:
            to_base = ratios(found, name, level)
            cells.append(number(statistics.median(figures[level]), 2))
            cells.append(number(statistics.median(to_base) if to_base else None, 2))
        rows.append([name, *cells, number(figures["bytes"] / 1000)])
    counts = {level: max(len(figures.get(level, [])) for figures in found.values()) for level in LEVELS}
    medians = ", ".join(f"of {count} at {level}" for level, count in counts.items())
    goal = goal_table(GOAL, {"-O0": ratios(found, "sake", "-O0") if "failed" not in found["sake"] else []})
    header = ["", "-O0, s", "to nlohmann", "-O2, s", "to nlohmann", "stripped, kB"]
    return paragraphs(table(header, rows), f"Medians {medians}.", goal)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    options = parser.parse_args()
    print(compile_text(measure_compile(options.rounds)))


if __name__ == "__main__":
    main()
