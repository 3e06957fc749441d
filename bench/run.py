#!/usr/bin/env python3
"""Measures Sake against the limit (raw_epoll) and against peers, always side by side in the same run.

The server has one CPU to itself and the clients another. Rounds are interleaved (A B C, A B C, ...), every ratio is
taken within a round, and the medians over the rounds are shown. A whole run writes RESULTS.md and plots/. README.md
says what each column means.
"""

import argparse
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bodies
import compile
import compute
import growth
import headline
import install
import instructions
import machine
import measure
import programs
import report
import scale
import toolbox
import websocket
import workers
from programs import BENCH, BUILD_DIR, PROGRAMS, build, command_of
from rounds import FAILURES, Skipped, attempt
from scenarios import SCENARIOS
from servers import start

FEW_ROUNDS = 3  # of the parts that take long


class Progress:
    """Says how long it has been running, with what begins now."""

    def __init__(self):
        self.begin = time.monotonic()

    def __call__(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.begin), 60)
        print(f"\n[{minutes:2}:{seconds:02}] {text}", flush=True)


def parse_options():
    names = ", ".join(dict.fromkeys(program.name for program in (*PROGRAMS, *websocket.PROGRAMS)))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement (default 1)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"out of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--only", default="", help=f"comma-separated servers out of: {names}")
    parser.add_argument("--scenario", default="", help="only those with all these words in the name, as 'c64'")
    parser.add_argument("--clients", default="load,wrk", help="load, wrk or load,wrk (default; wrk when installed)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures to FILE as well")
    parser.add_argument("--output", type=Path, metavar="DIR",
                        help="where RESULTS.md and plots/ go (default: bench/, for a whole run only)")
    parser.add_argument("--build-dir", type=Path, default=BUILD_DIR)
    parser.add_argument("--install", action="store_true", help="before: install what is missing, with apt-get and npm")
    options = parser.parse_args()
    options.clients = options.clients.split(",")
    options.parts = options.parts.split(",")
    options.server_cpu, options.client_cpu = machine.choose_cpus()
    check(parser, options)
    return options


def check(parser, options):
    """Resolves names to what they stand for, and refuses those that stand for nothing."""
    chosen = [name for name in options.only.split(",") if name]
    known = {program.name for program in (*PROGRAMS, *websocket.PROGRAMS)}
    for names, allowed in ((chosen, known), (options.parts, PARTS), (options.clients, ("wrk", "load"))):
        unknown = sorted(set(names) - set(allowed))
        if unknown:
            parser.error(f"not known: {', '.join(unknown)}; there is: {', '.join(sorted(allowed))}")
    options.programs, options.sockets = (
        [program for program in programs if not chosen or program.name in chosen]
        for programs in (PROGRAMS, websocket.PROGRAMS)
    )
    options.scenarios = [s for s in SCENARIOS if all(word in s.name for word in options.scenario.split())]
    if options.rounds < 1 or options.seconds < 1 or not options.scenarios:
        parser.error("nothing to measure")
    is_whole = not chosen and not options.scenario and set(options.parts) == set(PARTS)
    if options.output is None and is_whole:
        options.output = BENCH


def build_all(options):
    """What requests and growth need, one for each CPU at a time; what cannot be built is skipped when it starts."""
    needed = [*options.programs, *([growth.GROWTH] if "scale" in options.parts else [])]
    with ThreadPoolExecutor(os.cpu_count()) as builders:
        list(builders.map(lambda program: attempt(command_of, program, options.build_dir), needed))


@contextmanager
def started(options, skipped):
    """All servers that can be started; why others cannot is added to `skipped`."""
    with ExitStack() as stack:
        servers = []
        for program in options.programs:
            try:
                servers.append(start(program, options))
                stack.callback(servers[-1].stop)
            except FAILURES as reason:
                skipped[program.name] = str(reason)
                print(f"skipped: {program.name}: {reason}", flush=True)
        yield servers


def run_requests(options, results, progress):
    progress("building and starting the servers")
    conditions, skipped = results["conditions"], results["conditions"]["skipped"]
    build_all(options)
    found = results["requests"] = {}
    with started(options, skipped) as servers:
        conditions["answer_bytes"] = measure.answer_sizes(servers)
        conditions["versions"] = {s.name: programs.version_of(s.program) for s in servers}
        conditions["files"] = {s.name: s.program.file for s in servers}
        for scenario in options.scenarios:
            progress(scenario.name)
            found[scenario.name] = measure.measure_scenario(servers, scenario, skipped, options)
            for client, of_servers in found[scenario.name].items():
                print(f"by {client}\n{measure.scenario_table(of_servers)}", flush=True)


def run_instructions(options, results, progress):
    progress("instructions for a request")
    results["instructions"] = instructions.measure_instructions(options)
    print(instructions.instructions_text(results["instructions"]), flush=True)


def run_scale(options, results, progress):
    scale.measure_scale(options, progress, results.setdefault("scale", {}))


def run_headline(options, results, progress):
    progress("headline figures")
    headline.measure_headline(options, results.get("scale"), results.setdefault("headline", {}))
    print(headline.headline_text(results["headline"]), flush=True)


def run_bodies(options, results, progress):
    progress("large bodies and files")
    bodies.measure_bodies(options, results.setdefault("bodies", {}))
    print(bodies.bodies_text(results["bodies"]), flush=True)


def run_compile(options, results, progress):
    progress("the cost of compiling")
    results["compile"] = compile.measure_compile(min(options.rounds, FEW_ROUNDS))
    print(compile.compile_text(results["compile"]), flush=True)


def run_workers(options, results, progress):
    progress("worker routes")
    workers.measure_workers(replace_rounds(options), results.setdefault("workers", {}))


def run_toolbox(options, results, progress):
    progress("the async toolbox")
    results["toolbox"] = toolbox.measure_toolbox(min(options.rounds, FEW_ROUNDS), options.build_dir)
    print(toolbox.toolbox_text(results["toolbox"]), flush=True)


def run_compute(options, results, progress):
    progress("the compute layer")
    results["compute"] = compute.measure_compute(min(options.rounds, FEW_ROUNDS), options.build_dir)
    print(compute.compute_text(results["compute"]), flush=True)


def run_websocket(options, results, progress):
    websocket.measure_websocket(options, progress, results.setdefault("websocket", {}))


def replace_rounds(options):
    return argparse.Namespace(**{**vars(options), "rounds": min(options.rounds, FEW_ROUNDS)})


RUN = {
    "requests": run_requests,
    "instructions": run_instructions,
    "scale": run_scale,
    "bodies": run_bodies,
    "headline": run_headline,
    "compile": run_compile,
    "workers": run_workers,
    "toolbox": run_toolbox,
    "compute": run_compute,
    "websocket": run_websocket,
}
PARTS = tuple(RUN)


def run_parts(options, results, progress):
    """What a part has found is kept, whether or not it comes to its end, and the next part begins."""
    for part in options.parts:
        try:
            RUN[part](options, results, progress)
        except FAILURES as reason:
            results.setdefault("failed", {})[part] = str(reason) or type(reason).__name__
            print(f"failed: {part}: {reason}", flush=True)
        finally:
            (options.build_dir / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def main():
    options = parse_options()
    if options.install:
        install.install()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine.raise_open_files()
    try:
        for client in ("load.cpp", "sleepers.cpp", "paced.cpp"):
            build(client, options.build_dir)
    except Skipped as reason:
        sys.exit(f"the client {client} {reason}")
    programs.make_file()
    results = {"conditions": report.conditions(options)}
    print(report.conditions_text(results["conditions"]))
    progress = Progress()
    run_parts(options, results, progress)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.output:
        progress("writing the report")
        report.write(results, options.output)
    required = {program.name for program in PROGRAMS if not program.optional}
    progress("done")
    sys.exit(1 if "failed" in results or required & set(results["conditions"]["skipped"]) else 0)


if __name__ == "__main__":
    main()
