"""The program that becomes a command with limits: run as a script, not imported.

`confined.py CPU_S MEMORY_OCTETS PROGRAM WORD...` with the environment as it is to be.
It is a session and a process group of its own, so that all of it can be killed, and
ends with the thread that started it.  Exits with 127 if the program cannot be run.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38  # of prctl(2)
FILE_OCTETS = 64 * 1024 * 1024
DESCRIPTORS = 256
MORE_TASKS = 64  # processes and threads that it may add to those its user has


def main(arguments: list[str]) -> int:
    cpu_s, memory_octets, *words = arguments
    parent = os.getppid()
    os.setsid()
    prctl = ctypes.CDLL(None).prctl
    prctl(DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if os.getppid() != parent:
        return 1
    os.umask(0o077)
    os.nice(19)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, int(cpu_s))
    limit(resource.RLIMIT_FSIZE, FILE_OCTETS)
    limit(resource.RLIMIT_NOFILE, DESCRIPTORS)
    limit(resource.RLIMIT_NPROC, tasks_of(os.getuid()) + MORE_TASKS)
    limit(resource.RLIMIT_AS, int(memory_octets))
    try:
        os.execvp(words[0], words)  # noqa: S606 - there is no shell
    except OSError as fault:
        print(f"{words[0]}: {fault.strerror}", file=sys.stderr)
        return 127


def limit(what: int, most: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


def tasks_of(uid: int) -> int:
    """Threads of all processes of the user, as far as they can be seen."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue  # it ended meanwhile
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
