#!/usr/bin/env python3
"""RESULTS.md and plots/ from the figures of a run: everything that is in them comes from here.

    report.py FILE.json DIR          what run.py kept in build/bench/results.json, again
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import bodies
import compile
import compute
import headline
import instructions
import machine
import measure
import scale
import toolbox
import websocket
import workers
from programs import BENCH, COMPILER, FLAGS
from scenarios import SCENARIOS
from tables import Row, goal_table, number, ratios, table


def conditions(options):
    """What the figures depend on, before the first is taken."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": machine.cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": machine.memory_gib(),
        "system": machine.system(),
        "compiler": machine.first_line_of(COMPILER, "--version"),
        "flags": " ".join(FLAGS),
        "load_average": os.getloadavg()[0],
        "rounds": options.rounds,
        "seconds": options.seconds,
        "server_cpu": options.server_cpu,
        "client_cpu": options.client_cpu,
        "versions": {},
        "answer_bytes": {},
        "skipped": {},
    }


def conditions_text(c):
    lines = [
        f"{c['date']}; {c['cpu']}, {c['cpus']} CPUs, {c['memory_gib']:.0f} GiB, {c['system']}",
        f"{c['compiler']}, {c['flags']}; load average at the start {c['load_average']:.2f}",
        f"requests: medians of {c['rounds']} rounds of {c['seconds']} s; the other tables say of how many theirs are",
        f"server on CPU {c['server_cpu']}, client on CPU {c['client_cpu']}",
    ]
    if c["client_cpu"] is None:
        lines.append("NOTE: one CPU only, so that client and server share it; the figures say little")
    return "\n".join(lines)


# ---- RESULTS.md -------------------------------------------------------------------------------------------------


def goals_text(requests):
    """Sake's share of raw in requests per CPU-second against the goals, and why those that are missed are."""
    rows, figures = {}, {}
    for scenario in SCENARIOS:
        of_servers = requests.get(scenario.name, {}).get("load", {})
        shares = ratios(of_servers.get("sake", []), of_servers.get("raw", []), "requests_per_cpu_second")
        if scenario.goal is not None:
            rows[scenario.name] = Row(scenario.name, "", 3, at_least=scenario.goal, shortfall=scenario.shortfall)
            figures[scenario.name] = shares
    return goal_table(rows, figures)


def requests_text(requests):
    parts = []
    for scenario, of_clients in requests.items():
        for client, of_servers in of_clients.items():
            parts.append(f"### {scenario}, by {client}\n\n{measure.scenario_table(of_servers)}")
    return "\n\n".join(parts)


MISSING = """\
uWebSockets and libreactor, the fastest that are known, are in neither Debian nor npm, and do not take part."""


def failed_text(failed):
    return "\n".join(f"- {part}: {reason}" for part, reason in failed.items())


def who_text(c):
    rows = [
        [name, version or "-", number(c["answer_bytes"].get(name)), c.get("files", {}).get(name, "-")]
        for name, version in c["versions"].items()
    ]
    parts = [table(["", "version", "bytes that answer GET /", "1 MiB comes from"], rows)]
    parts.append(MISSING)
    parts += [f"Skipped: {name}: {reason}." for name, reason in c["skipped"].items()]
    return "\n\n".join(parts)


def disturbance_text(requests):
    disturbed, all_of_them = measure.disturbance(requests)
    return (
        f"In {disturbed} of {all_of_them} measurements of requests other processes used more than a tenth of a CPU: "
        "their req/s say little, req/CPU-s and its ratio suffer less."
    )


def plot_links(directory):
    return "\n".join(f"![{path.stem}](plots/{path.name})" for path in sorted(directory.glob("plots/*.svg")))


def sections(results, directory):
    """Headings and texts, in the order of the report."""
    c = results["conditions"]
    yield "Conditions", conditions_text(c).replace("\n", "  \n")
    yield "Who took part", who_text(c)
    if results.get("failed"):
        yield "Parts that failed", failed_text(results["failed"])
    if "requests" in results:
        yield "Goals: requests per CPU-second, as a share of raw", goals_text(results["requests"])
        yield "Everybody, as a share of raw", measure.summary_table(results["requests"])
    if "instructions" in results:
        yield "Instructions for a request", instructions.instructions_text(results["instructions"])
    links = plot_links(directory)
    if links:
        yield "Plots", links
    if "steps" in results.get("headline", {}):
        yield "Headline figures", headline.headline_text(results["headline"])
    for title, text in scale.sections(results.get("scale", {})):
        yield title, text
    if "bodies" in results.get("bodies", {}):
        yield "Large bodies and files", bodies.bodies_text(results["bodies"])
    if "compile" in results:
        yield "Compiling hello world", compile.compile_text(results["compile"])
    if results.get("workers"):
        yield "Worker routes", workers.worker_table(results["workers"])
    if "toolbox" in results:
        yield "The async toolbox", toolbox.toolbox_text(results["toolbox"])
    if "compute" in results:
        yield "The compute layer", compute.compute_text(results["compute"])
    if results.get("websocket"):
        yield "WebSocket", websocket.websocket_text(results["websocket"])
    if "requests" in results:
        yield "Requests in detail", disturbance_text(results["requests"]) + "\n\n" + requests_text(results["requests"])


def draw(results, directory):
    """Plots, by a Python that has matplotlib: Debian's, when it is not the one that runs this."""
    complaint = "no Python"
    for python in filter(shutil.which, (sys.executable, "/usr/bin/python3")):
        command = [python, str(BENCH / "plots.py"), str(directory)]
        done = subprocess.run(command, input=json.dumps(results), capture_output=True, text=True, timeout=120)
        if done.returncode == 0:
            return
        complaint = (done.stderr.splitlines() or ["no message"])[-1]
    print(f"skipped: plots: {complaint}")


def write(results, directory):
    """Writes the plots and RESULTS.md."""
    plots = directory / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()
    draw(results, plots)
    head = "# Results\n\nWritten by `make bench`; README.md says what each row and column means."
    parts = [head, *(f"## {title}\n\n{text}" for title, text in sections(results, directory))]
    (directory / "RESULTS.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: report.py FILE.json DIR")
    write(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
