"""What the benchmarks need to know of the machine, and to ask of it."""

import os
import platform
import resource
import subprocess
import time
from pathlib import Path


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def system():
    return f"{platform.system()} {platform.release()}"


def first_line_of(*command):
    """The first line that a command prints, anywhere; empty when there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except OSError:
        return ""
    return next(iter((done.stdout + done.stderr).splitlines()), "").strip()


def busy_seconds():
    """Seconds of CPU that went into anything on the machine, interrupts and other guests of its host included."""
    ticks = [int(text) for text in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    user, nice, system_ticks, _idle, _iowait, irq, softirq, steal = ticks
    return (user + nice + system_ticks + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def await_quiet(patience=1.0):
    """Waits until hardly anything runs on the machine: what a client or server leaves behind is not the next one's."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = busy_seconds()
        time.sleep(0.05)
        if busy_seconds() - before <= 0.0101:  # a tick
            return


def cpu_seconds_of(process_id):
    """Seconds of CPU, user and system, that a process has used: its CPU clock, in nanoseconds and not in ticks."""
    return time.clock_gettime(~process_id << 3 | 2)  # as clock_getcpuclockid makes it


def children_user_seconds():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def children_cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def pinned_to(cpu):
    """Something to call in a child before its program starts; None leaves the child where it is."""
    return None if cpu is None else lambda: os.sched_setaffinity(0, {cpu})


def choose_cpus():
    """One for the server and another for the clients; None for both where there is but one."""
    cpus = sorted(os.sched_getaffinity(0))
    return tuple(cpus[:2]) if len(cpus) > 1 else (None, None)


def raise_open_files():
    """Raises the soft limit of open files, which servers and clients inherit, as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = min(hard, 65536) if hard > 0 else 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
