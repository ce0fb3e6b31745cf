"""CPU and memory of a process and all it started, out of Linux' /proc.

Memory is every process's peak, even if not all had theirs at once; pages of a library that two of them share count twice.
"""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """The process and its descendants that are alive."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(word) for word in children.read_text().split()]
            except OSError:
                continue
    return found


def cpu_seconds(pid):
    """CPU of the whole tree so far. Threads that live are counted in nanoseconds, those that ended in ticks."""
    return sum(max(_ticks(one), _threads(one)) for one in tree(pid))


def _ticks(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def _threads(pid):
    total = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(thread.read_text().split()[0])
        except (OSError, IndexError):
            continue
    return total / 1e9


def peak_mb(pid):
    """Peak resident megabytes (10⁶ bytes) of one process."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    return 0.0


def peaks_mb(pid):
    return [peak_mb(one) for one in tree(pid)]
