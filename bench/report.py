#!/usr/bin/env python3
"""RESULTS.md and plots/ from the figures of a run: everything that is in them comes from here.

    report.py FILE.json DIR          what run.py kept in build/bench/results.json, again
"""

import json
import os
import sys
import time
from pathlib import Path

import machine
import measure
from programs import COMPILER, FLAGS


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
        f"{c['rounds']} rounds of {c['seconds']} s; server on CPU {c['server_cpu']}, client on CPU {c['client_cpu']}",
    ]
    if c["client_cpu"] is None:
        lines.append("NOTE: one CPU only, so that client and server share it; the figures say little")
    return "\n".join(lines)


def write(results, directory):
    directory.mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: report.py FILE.json DIR")
    write(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
