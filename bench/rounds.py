"""Rounds, as every part has them: all take a turn in each, none is always first, and a failure is kept as a result."""

import subprocess


class Skipped(Exception):
    """Something cannot take part or gave no figure; the text says why."""


FAILURES = (Skipped, OSError, ValueError, subprocess.SubprocessError)


def attempt(what, *arguments):
    """What it returns, or a dict with `failed`."""
    try:
        return what(*arguments)
    except FAILURES as reason:
        return {"failed": str(reason) or type(reason).__name__}


def turns(items, rounds):
    """All items for each round, of which each begins with another one."""
    items = list(items)
    shifts = (i % max(1, len(items)) for i in range(rounds))
    return [items[shift:] + items[:shift] for shift in shifts]


def interleaved(whats, rounds):
    """found[name] is a list with what whats[name]() returned in each round."""
    found = {name: [] for name in whats}
    for turn in turns(whats, rounds):
        for name in turn:
            found[name].append(attempt(whats[name]))
    return found
