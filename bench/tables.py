"""Tables as text that reads well in a terminal and is Markdown as well, and the statistics that stand in them."""

import statistics
from dataclasses import dataclass


def table(header, rows):
    """A Markdown table whose columns are aligned: the first to the left, the others to the right."""
    cells = [header, *rows]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(header))]

    def line(row):
        first, *rest = (cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))
        return "| " + " | ".join([first, *rest]) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


def good(rounds):
    return [r for r in rounds if "failed" not in r]


def median_of(rounds, key):
    """The median over the rounds that did not fail; None when all did."""
    values = [r[key] for r in good(rounds)]
    return statistics.median(values) if values else None


def ratios(rounds, others, key):
    """The ratios of a figure within each round in which both have one."""
    pairs = zip(rounds, others)
    return [a[key] / b[key] for a, b in pairs if "failed" not in a and "failed" not in b and b[key]]


def median_ratio(rounds, others, key):
    found = ratios(rounds, others, key)
    return statistics.median(found) if found else None


def spread(values, digits=2):
    """'median (lowest-highest)', or '-'."""
    if not values:
        return "-"
    lowest, highest = (f"{x:.{digits}f}" for x in (min(values), max(values)))
    return f"{statistics.median(values):.{digits + 1}f} ({lowest}-{highest})"


def failures_text(results):
    """A line for each list in `results`, by name, in which there are failures: how many, and the first reason."""
    lines = []
    for name, rounds in results.items():
        reasons = [r["failed"] for r in rounds if "failed" in r]
        if reasons:
            lines.append(f"- {name}: failed in {len(reasons)} of {len(rounds)} rounds: {reasons[0]}")
    return "\n".join(lines)


def paragraphs(*parts):
    return "\n\n".join(part for part in parts if part)


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(value):
    return "-" if value is None else f"{value:.0%}"


@dataclass(frozen=True)
class Row:
    """A figure: its name, how to write it, and what it should be, if that was said."""

    name: str
    unit: str = ""
    digits: int = 2
    at_least: float = None
    at_most: float = None
    shortfall: str = ""  # where it is known to be missed: why, and what would mend it; figures are measured

    def text(self, value):
        return f"{value:,.{self.digits}f} {self.unit}".strip()

    def goal(self):
        if self.at_least is not None:
            return f"at least {self.at_least:,g}"
        return f"at most {self.at_most:,g}" if self.at_most is not None else ""

    def verdict(self, value):
        if self.at_least is not None:
            return "met" if value >= self.at_least else "MISSED"
        if self.at_most is not None:
            return "met" if value <= self.at_most else "MISSED"
        return ""

    def is_unsure(self, values):
        """Whether some of the values meet the goal and others do not."""
        return len({self.verdict(value) for value in values}) > 1


def goal_table(rows, figures):
    """The median of each list in `figures`, by row name, beside its goal; below, a line for each goal missed."""
    lines, short = [], []
    for name, row in rows.items():
        values = figures.get(name)
        if not values:
            lines.append([row.name, "not measured", "", "", row.goal(), ""])
            continue
        value = statistics.median(values)
        low, high = (f"{x:,.{row.digits}f}" for x in (min(values), max(values)))
        verdict = row.verdict(value) + (", unsure" if row.is_unsure(values) else "")
        lines.append([row.name, row.text(value), f"{low}-{high}", str(len(values)), row.goal(), verdict])
        if row.verdict(value) == "MISSED":
            why = row.shortfall or "it was met before; why it is not now remains to be found."
            short.append(f"- SHORTFALL, {row.name.strip()}: {row.text(value)}, goal {row.goal()}: {why}")
    header = ["", "median", "lowest-highest", "of", "goal", ""]
    return paragraphs(table(header, lines), "\n".join(short))
