"""Rights of a process, and how they are given up for good."""

from __future__ import annotations

import ctypes
import os

NO_NEW_PRIVS, DUMPABLE, DEATH_SIGNAL = 38, 4, 1  # of prctl(2)


def prctl(option: int, value: int) -> None:
    """Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def become(uid: int, gid: int, name: str) -> None:
    """Have the rights of this user, with the groups that the system gives to `name` if
    there is one, and no others, with no way back.  Raises OSError."""
    if os.geteuid() == 0:
        if name:
            os.initgroups(name, gid)
        else:
            os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    with open("/proc/self/status") as status:
        kept = [line for line in status if line.startswith(("CapPrm", "CapEff"))]
    ids = {*os.getresuid(), *os.getresgid(), *os.getgroups()}
    if 0 in ids or any(int(line.split()[1], 16) for line in kept):
        raise PermissionError("root's rights are still there")
    os.umask(0o077)
