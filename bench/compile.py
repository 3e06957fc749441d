#!/usr/bin/env python3
"""What programs cost to compile: seconds at -O0 and -O2 and stripped size, as ratios to nlohmann/json alone. Hello world,
with JSON as well, a file of a larger program in separate form, the file of its definitions, and a project of ten files.

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
from programs import BENCH, COMPILER, HTTPLIB_FLAGS, HTTPLIB_LIBRARIES, ROOT, SAKE_FLAGS
from rounds import turns
from tables import Row, goal_table, number, paragraphs, table

LEVELS = ("-O0", "-O2")
BASE = "nlohmann"
SEPARATE = (*SAKE_FLAGS, "-DSAKE_SEPARATE")
FILES = 10
GOALS = {
    "hello world": Row("hello world at -O0, to nlohmann/json alone", at_most=1.7,
                       shortfall="the library that a server needs is compiled with it; separate form compiles that once."),
    "hello world -O2": Row("hello world at -O2, to nlohmann/json alone", at_most=2.0,
                           shortfall="as above, and the optimizer works on all of it."),
    "declarations": Row("a file of routes in separate form at -O0, to nlohmann/json alone", at_most=1.2),
    "project": Row("a project of ten files in separate form at -O0, to the same in one-file form", at_most=0.34,
                   shortfall="each file reads nlohmann/json.hpp; with a precompiled header none does."),
    "project, precompiled": Row("the same with precompiled declarations", at_most=0.34,
                                shortfall="the definitions are two fifths of it, once for any number of files."),
    "project -O2": Row("a project of ten files in separate form at -O2, to the same in one-file form", at_most=0.34,
                       shortfall="as above."),
}


@dataclass(frozen=True)
class Source:
    name: str
    path: Path
    flags: tuple = ()
    libraries: tuple = ()
    links: bool = True  # it is a program by itself


SOURCES = [
    Source(BASE, BENCH / "compile/nlohmann.cpp"),
    Source("sake", BENCH / "compile/sake.cpp", SAKE_FLAGS),
    Source("sake, JSON", BENCH / "compile/sake_json.cpp", SAKE_FLAGS),
    Source("separate: routes", BENCH / "compile/routes.cpp", SEPARATE, links=False),
    Source("separate: routes, JSON", BENCH / "compile/project.cpp", (*SEPARATE, "-DPART=1"), links=False),
    Source("separate: definitions", BENCH / "compile/definitions.cpp", SEPARATE, links=False),
    Source("httplib", BENCH / "compile/httplib.cpp", HTTPLIB_FLAGS, HTTPLIB_LIBRARIES),
    Source("beast", BENCH / "compile/beast.cpp"),
]
PRECOMPILED = "separate form, precompiled"
FORMS = {"one-file form": SAKE_FLAGS, "separate form": SEPARATE, PRECOMPILED: SEPARATE}


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


def project_seconds(form, level, directory):
    """User seconds for all files of a project and its linking, and for one file and the linking after a change."""
    flags = FORMS[form]
    common = (COMPILER, "-std=c++20", level, "-pthread", *flags)
    precompiling = 0
    if form == PRECOMPILED:
        header = str(Path(directory) / "sake.hpp.gch")
        precompiling = run(*common, "-x", "c++-header", str(ROOT / "single_include/sake.hpp"), "-o", header)
        common = (*common[:4], f"-I{directory}", *flags)
    objects = [str(Path(directory) / f"part{part}.o") for part in range(FILES)]
    part_of = (BENCH / "compile/project.cpp", "-c", "-o")
    parts = [run(*common, f"-DPART={part}", *map(str, part_of), made) for part, made in enumerate(objects)]
    definitions = 0
    if "-DSAKE_SEPARATE" in flags:
        objects.append(str(Path(directory) / "definitions.o"))
        definitions = run(*common, "-c", str(BENCH / "compile/definitions.cpp"), "-o", objects[-1])
    linking = run(*common, *objects, "-o", str(Path(directory) / "project"))
    return {"all": precompiling + sum(parts) + definitions + linking, "change": parts[-1] + linking}


def measure_projects():
    """found[form][level] has the seconds; one round of each."""
    found = {}
    for form in FORMS:
        with tempfile.TemporaryDirectory() as directory:
            found[form] = {level: project_seconds(form, level, directory) for level in LEVELS}
    return found


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
        for source in filter(lambda source: source.links, SOURCES):
            size = note(source, stripped_bytes, directory)
            if size is not None:
                found[source.name]["bytes"] = size
    return {"programs": found, "projects": measure_projects()}


def ratios(found, name, level):
    """Of the time for one program to that for nlohmann/json alone, in each round."""
    if "failed" in found[name] or "failed" in found[BASE]:
        return []
    return [time / base for time, base in zip(found[name][level], found[BASE].get(level, []))]


def projects_text(found):
    rows = [[form, *(number(figures[level][what], 1) for level in LEVELS for what in ("all", "change"))]
            for form, figures in found.items()]
    return table([f"{FILES} files", "-O0, s", "after a change, s", "-O2, s", "after a change, s"], rows)


def compile_text(results):
    found, projects = results["programs"], results["projects"]
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
        size = figures.get("bytes")
        rows.append([name, *cells, number(size / 1000 if size else None)])
    counts = {level: max(len(figures.get(level, [])) for figures in found.values()) for level in LEVELS}
    medians = ", ".join(f"of {count} at {level}" for level, count in counts.items())
    one, separate, precompiled = (projects[form] for form in FORMS)
    measured = {
        "hello world": ratios(found, "sake", "-O0"),
        "hello world -O2": ratios(found, "sake", "-O2"),
        "declarations": ratios(found, "separate: routes", "-O0"),
        "project": [separate["-O0"]["all"] / one["-O0"]["all"]],
        "project, precompiled": [precompiled["-O0"]["all"] / one["-O0"]["all"]],
        "project -O2": [separate["-O2"]["all"] / one["-O2"]["all"]],
    }
    header = ["", "-O0, s", "to nlohmann", "-O2, s", "to nlohmann", "stripped, kB"]
    return paragraphs(table(header, rows), f"Medians {medians}.", projects_text(projects), goal_table(GOALS, measured))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    options = parser.parse_args()
    print(compile_text(measure_compile(options.rounds)))


if __name__ == "__main__":
    main()
