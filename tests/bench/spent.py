"""The CPU time of a server, whatever processes it is made of."""

from __future__ import annotations

import psutil


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children, those that ended among them."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # it ended: its parent has its time now
            continue
        total += times.user + times.system
        total += times.children_user + times.children_system
    return total
