"""Figures that Sake has promised, one by one: each with its goal, and whether it is met."""

import json
import subprocess
from dataclasses import replace

from clients import paced
from machine import await_quiet, pinned_to
from measure import measure
from programs import BENCH, SAKE
from rounds import Skipped, attempt, interleaved
from scale import FEW, IDLE
from scenarios import Scenario
from servers import running
from tables import Row, failures_text, goal_table, good, paragraphs

STEADY_RATE = 500
SPIKE = 1000

ROWS = {
    "wrk_rate": Row("wrk -t4 -c100, GET /", "req/s", 0, at_least=8005),
    "wrk_latency": Row("  wrk -t4 -c100: mean latency", "ms", at_most=12.75),
    "wrk_errors": Row("  wrk -t4 -c100: errors", "", 0, at_most=0),
    "serial": Row("handlers that wait 50 ms, 100 connections: times a serial server", "", 1, at_least=80),
    "c1000_p50": Row("1,000 connections: p50", "ms", at_most=20),
    "c1000_p99": Row("  1,000 connections: p99", "ms", at_most=100),
    "steady_dropped": Row(f"{STEADY_RATE} requests/s sustained: dropped", "", 0, at_most=0),
    "steady_p99": Row(f"  {STEADY_RATE} requests/s sustained: p99", "ms", at_most=100),
    "steady_growth": Row(f"  {STEADY_RATE} requests/s sustained: growth of resident memory", "KiB", 0, at_most=64),
    "spike_dropped": Row(f"from 1 to {SPIKE:,} requests in a second, on new connections: dropped", "", 0, at_most=0),
    "spike_p99": Row("  the spike: p99", "ms", at_most=100),
    "asleep_p99": Row(f"SC-001: one more request beside {IDLE:,} asleep, p99", "ms", at_most=20),
    "asleep_errors": Row("  SC-001: errors among them", "", 0, at_most=0),
    "asleep_late": Row(f"  SC-001: the last of {IDLE:,} late by, times the last of {FEW}", "", 1, at_most=100),
}


def measure_wrk(server, seconds, options):
    command = ["wrk", "-t4", "-c100", f"-d{seconds}s", "-s", str(BENCH / "wrk.lua"), f"http://127.0.0.1:{server.port}/"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, preexec_fn=pinned_to(options.client_cpu)
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise Skipped(f"wrk: {done.stderr.strip() or 'no request was answered'}")
    result = json.loads(lines[-1])
    return {
        "wrk_rate": result["requests_per_second"],
        "wrk_latency": result["mean_us"] / 1000,
        "wrk_errors": result["errors"],
    }


def measured(server, scenario, options):
    result = measure("load", server, scenario, options.seconds, options)
    if "failed" in result:
        raise Skipped(result["failed"])
    if result["errors"]:
        raise Skipped(f"{result['errors']} errors at {scenario.path} with {scenario.connections} connections")
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
    await_quiet()
    paced(server, "/", 1, 1, 1, options)
    result = paced(server, "/", SPIKE, SPIKE, SPIKE, options)
    return {"spike_dropped": result["dropped"], "spike_p99": result["p99_us"] / 1000}


def of_sleeping(scale_results):
    """What the part of scale found, when it ran before."""
    rounds = good((scale_results or {}).get("sleeping", {}).get("sake", []))
    return [
        {
            "asleep_p99": r["beside_p99_us"] / 1000,
            "asleep_errors": r["errors"] + r["dropped"],
            "asleep_late": r[f"late_{IDLE}_ms"] / max(r[f"late_{FEW}_ms"], 1),
        }
        for r in rounds
    ]


def measure_headline(options, scale_results, found):
    """Into found[step]: a list with the figures by row name of each round, or why there are none."""
    is_trial = options.rounds < 3
    long, steady = (3, 3) if is_trial else (30, 20)
    found["seconds"] = {"wrk": long, "steady": steady}
    found["steps"] = steps = {"asleep": of_sleeping(scale_results)}

    def on_its_own(what, *arguments):
        with running(SAKE, options) as server:
            return what(server, *arguments, options)

    shorter = {"serial": measure_serial, "thousand": measure_thousand, "spike": measure_spike}
    steps.update(interleaved({name: lambda w=what: on_its_own(w) for name, what in shorter.items()}, options.rounds))
    steps["wrk"] = [attempt(on_its_own, measure_wrk, long)]
    steps["steady"] = [attempt(on_its_own, measure_steady, steady)]


def headline_text(found):
    steps = found["steps"]
    figures = {name: [r[name] for rounds in steps.values() for r in good(rounds) if name in r] for name in ROWS}
    seconds = found["seconds"]
    lasted = f"wrk ran for {seconds['wrk']} s, the steady pace for {seconds['steady']} s: each a single measurement."
    return paragraphs(goal_table(ROWS, figures), lasted, failures_text(steps))
