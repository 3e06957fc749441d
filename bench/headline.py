"""Figures that Sake has promised, one by one: each with its goal, and whether it is met."""

import json
import subprocess
from dataclasses import replace

from machine import pinned_to
from measure import measure
from programs import BENCH, Skipped
from scale import IDLE, SAKE, FEW, paced, running
from scenarios import Scenario
from tables import Row, table

STEADY_RATE = 500
SPIKE = 1000


ROWS = {
    "wrk_rate": Row("wrk -t4 -c100, GET /", "req/s", 0, at_least=8005),
    "wrk_latency": Row("  mean latency", "ms", at_most=12.75),
    "wrk_errors": Row("  errors", "", 0, at_most=0),
    "serial": Row("handlers that wait 50 ms, 100 connections: times a serial server", "", 1, at_least=80),
    "c1000_p50": Row("1,000 connections: p50", "ms", at_most=20),
    "c1000_p99": Row("  p99", "ms", at_most=100),
    "steady_dropped": Row(f"{STEADY_RATE} requests/s sustained: dropped", "", 0, at_most=0),
    "steady_p99": Row("  p99", "ms", at_most=100),
    "steady_growth": Row("  growth of resident memory meanwhile", "KiB", 0, at_most=64),
    "spike_dropped": Row(f"from 1 to {SPIKE:,} requests in a second, each on a new connection: dropped", "", 0, at_most=0),
    "spike_p99": Row("  p99", "ms", at_most=100),
    "asleep_p99": Row(f"SC-001: one more request beside {IDLE:,} asleep, p99", "ms", at_most=20),
    "asleep_errors": Row("  errors among them", "", 0, at_most=0),
    "asleep_late": Row(f"  lateness of the last of {IDLE:,}, times that of the last of {FEW}", "", 1, at_most=100),
}


def measure_wrk(server, seconds, options):
    command = ["wrk", "-t4", "-c100", f"-d{seconds}s", "-s", str(BENCH / "wrk.lua"), f"http://127.0.0.1:{server.port}/"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, preexec_fn=pinned_to(options.client_cpu)
    )
    result = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return {
        "wrk_rate": result["requests_per_second"],
        "wrk_latency": result["mean_us"] / 1000,
        "wrk_errors": result["errors"],
    }


def measured(server, scenario, options):
    result = measure("load", server, scenario, max(2, options.seconds), options)
    if "failed" in result:
        raise Skipped(result["failed"])
    return result


def measure_serial(server, options):
    """One connection is what a server that serves one after the other would do."""
    wait = Scenario("", "/sleep/50", connections=1)
    serial, together = (measured(server, replace(wait, connections=n), options) for n in (1, 100))
    return {"serial": together["requests_per_second"] / serial["requests_per_second"]}


def measure_thousand(server, options):
    result = measured(server, Scenario("", "/", connections=1000), options)
    return {"c1000_p50": result["p50_us"] / 1000, "c1000_p99": result["p99_us"] / 1000}


def measure_steady(server, seconds, options):
    paced(server, "/", 50, STEADY_RATE, STEADY_RATE, options)
    before = server.resident_kib()
    result = paced(server, "/", 50, STEADY_RATE, STEADY_RATE * seconds, options)
    return {
        "steady_dropped": result["dropped"],
        "steady_p99": result["p99_us"] / 1000,
        "steady_growth": server.resident_kib() - before,
    }


def measure_spike(server, options):
    paced(server, "/", 1, 1, 2, options)
    result = paced(server, "/", SPIKE, SPIKE, SPIKE, options)
    return {"spike_dropped": result["dropped"], "spike_p99": result["p99_us"] / 1000}


def of_sleeping(scale_results):
    """What the part of scale found, when it ran before."""
    found = (scale_results or {}).get("sleeping", {}).get("sake", {"failed": ""})
    if "failed" in found:
        return {}
    return {
        "asleep_p99": found["beside"]["p99_us"] / 1000,
        "asleep_errors": found[f"errors_{IDLE}"],
        "asleep_late": found[f"late_{IDLE}"] / max(found[f"late_{FEW}"], 1),
    }


def measure_headline(options, scale_results):
    """figures[row name] is a number; what could not be measured is not there, and why is in `failed`."""
    is_trial = options.rounds < 3
    long, steady = (3, 3) if is_trial else (30, 20)
    figures = {"seconds": {"wrk": long, "steady": steady}, "failed": []}
    with running(SAKE, options) as server:
        for what, *arguments in (
            (measure_wrk, server, long, options),
            (measure_serial, server, options),
            (measure_thousand, server, options),
            (measure_steady, server, steady, options),
            (measure_spike, server, options),
        ):
            try:
                figures.update(what(*arguments))
            except (Skipped, OSError, StopIteration, subprocess.SubprocessError) as reason:
                figures["failed"].append(f"{what.__name__}: {reason or 'no result'}")
    figures.update(of_sleeping(scale_results))
    return figures


def headline_text(figures):
    rows = []
    for name, row in ROWS.items():
        if name not in figures:
            rows.append([row.name, "not measured", row.goal(), ""])
            continue
        value = figures[name]
        rows.append([row.name, row.text(value), row.goal(), row.verdict(value)])
    seconds = figures["seconds"]
    lasted = f"wrk ran for {seconds['wrk']} s, the steady pace for {seconds['steady']} s."
    failures = [f"Not measured: {failure}." for failure in figures["failed"]]
    return "\n\n".join([table(["", "measured", "goal", ""], rows), " ".join([lasted, *failures])])
