#!/usr/bin/env python3
"""Draws what run.py measured, as SVG: results as JSON on standard input, the directory for the plots as argument.

A program of its own because it needs matplotlib, which Debian has for its own Python only (python3-matplotlib).
"""

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

from compile import ratios  # noqa: E402
from tables import median_of, median_ratio  # noqa: E402

SAKE = "#c0392b"
RAW = "#444444"
PEERS = ("#2c7fb8", "#41ae76", "#8c6bb1", "#e08214", "#9e9e9e", "#5aa9c9", "#b5a642", "#d48fb0")

plt.rcParams.update({
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sake",
})


def save(figure, name, directory):
    figure.savefig(directory / name, bbox_inches="tight", metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def draw_requests(requests, directory):
    """A dot for each server in each scenario: requests per CPU-second as a share of raw's."""
    of_load = {name: of_clients["load"] for name, of_clients in requests.items() if "load" in of_clients}
    names = [n for n in dict.fromkeys(n for servers in of_load.values() for n in servers) if n != "raw"]
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(of_load) + 1.2))
    colours = iter(PEERS)
    for name in names:
        points = [
            (median_ratio(servers.get(name, []), servers.get("raw", []), "requests_per_cpu_second"), y)
            for y, servers in enumerate(of_load.values())
        ]
        points = [point for point in points if point[0] is not None]
        is_sake = name == "sake"
        if not points:
            continue
        axes.scatter(*zip(*points), label=name, s=70 if is_sake else 28, zorder=3 if is_sake else 2,
                     color=SAKE if is_sake else next(colours), marker="D" if is_sake else "o")
    axes.axvline(1, color=RAW, linewidth=1)
    axes.set_yticks(range(len(of_load)), list(of_load))
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("requests per CPU-second of the server, as a share of raw's (1 is the limit)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    save(figure, "requests.svg", directory)


def costs(points, name):
    """Pairs of x and the median cost; the keys of JSON are texts."""
    medians = {int(x): median_of(servers[name], "us") for x, servers in points.items()}
    return [(x, median) for x, median in sorted(medians.items()) if median is not None]


def draw_growth(scale, directory):
    """What a request costs as connections, routes and bodies grow: four panels."""
    panels = (
        ("connections", "connections"),
        ("routes", "routes"),
        ("received", "bytes received"),
        ("sent", "bytes sent"),
    )
    panels = [panel for panel in panels if panel[0] in scale]
    if not panels:
        return
    width = 0.5 + 3.1 * len(panels)
    figure, all_axes = plt.subplots(1, len(panels), figsize=(width, 3), layout="constrained", squeeze=False)
    all_axes = all_axes[0]
    for axes, (key, label) in zip(all_axes, panels):
        for name, colour in (("raw", RAW), ("sake", SAKE)):
            points = costs(scale[key], name)
            if points:
                axes.plot(*zip(*points), marker="o", markersize=4, color=colour, label=name)
        axes.set_xscale("log")
        axes.set_xlabel(label)
        if key in ("received", "sent"):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
    all_axes[0].set_ylabel("CPU of the server for a request, us")
    all_axes[0].legend()
    save(figure, "growth.svg", directory)


def draw_bars(values, label, name, directory):
    """Horizontal bars on a logarithmic scale, each with its number."""
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(values) + 0.9))
    ordered = sorted(values.items(), key=lambda pair: pair[1])
    bars = axes.barh([n for n, _ in ordered], [v for _, v in ordered],
                     color=[SAKE if n == "sake" else PEERS[-4] for n, _ in ordered])
    axes.bar_label(bars, [f"{v:,.0f}" if v >= 100 else f"{v:.2f}" for _, v in ordered], padding=4)
    if ordered[-1][1] > 50 * ordered[0][1]:
        axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.grid(axis="y", visible=False)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    save(figure, name, directory)


def draw_idle(idle, directory):
    medians = {name: median_of(rounds, "resident") for name, rounds in idle.items() if name != "raw"}
    values = {name: value for name, value in medians.items() if value is not None and value > 0}
    if values:
        draw_bars(values, "resident bytes of the server for each idle connection", "idle.svg", directory)


def draw_compile(results, directory):
    found = results["programs"]
    good = {name: figures for name, figures in found.items() if "failed" not in figures}
    if "nlohmann" in good:
        values = {name: statistics.median(ratios(found, name, "-O0")) for name in good}
        draw_bars(values, "time to compile hello world at -O0, nlohmann/json alone being 1", "compile.svg", directory)


def main():
    results = json.load(sys.stdin)
    directory = Path(sys.argv[1])
    if results.get("requests"):
        draw_requests(results["requests"], directory)
    if results.get("scale"):
        draw_growth(results["scale"], directory)
        draw_idle(results["scale"].get("idle", {}), directory)
    if results.get("compile"):
        draw_compile(results["compile"], directory)


if __name__ == "__main__":
    main()
