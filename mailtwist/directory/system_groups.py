"""Groups of the machine's users, by NSS: one that cannot say is told from no group.

Python's `os.getgrouplist` holds the interpreter while a directory service is asked, and
`grp.getgrgid` takes its silence for "there is none".
"""

from __future__ import annotations

import ctypes
import errno
import os

from .system_users import FIRST_OCTETS, MOST_OCTETS, NONE

FIRST_GROUPS, MOST_GROUPS = 64, 1 << 16  # of one user; the kernel knows no more


class _Row(ctypes.Structure):
    """struct group of glibc and musl."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("password", ctypes.c_char_p),
        ("gid", ctypes.c_uint32),
        ("members", ctypes.c_void_p),
    ]


def groups_of(name: str, gid: int) -> frozenset[str]:
    """Names of the groups of a user whose first group is `gid`; may wait for a network,
    without the interpreter lock.

    Raises OSError if the system cannot say."""
    names = map(_name_of, sorted(_gids(name, gid)))
    return frozenset(one for one in names if one is not None)


def _gids(name: str, gid: int) -> set[int]:
    room = FIRST_GROUPS
    while True:
        found, count = (ctypes.c_uint32 * room)(), ctypes.c_int(room)
        done = ctypes.CDLL(None).getgrouplist(
            os.fsencode(name), ctypes.c_uint32(gid), found, ctypes.byref(count)
        )
        if done >= 0:
            return set(found[: count.value])
        if room >= MOST_GROUPS:
            raise OSError(errno.ERANGE, os.strerror(errno.ERANGE))
        room = min(MOST_GROUPS, max(room * 4, count.value))


def _name_of(gid: int) -> str | None:
    octets = FIRST_OCTETS
    while True:
        row, found = _Row(), ctypes.c_void_p()
        space = ctypes.create_string_buffer(octets)
        fault = ctypes.CDLL(None).getgrgid_r(
            ctypes.c_uint32(gid),
            ctypes.byref(row),
            space,
            ctypes.c_size_t(octets),
            ctypes.byref(found),
        )
        if fault == errno.ERANGE and octets < MOST_OCTETS:
            octets *= 4
            continue
        if found:
            return os.fsdecode(row.name)
        if fault not in NONE:
            raise OSError(fault, os.strerror(fault))
        return None
