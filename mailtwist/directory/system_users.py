"""Users of the machine, by NSS: a name that is not there is told from no answer.

`pwd.getpwnam` says "not found" of both, and mail for a user in a directory service that
is down would be returned.
"""

from __future__ import annotations

import ctypes
import errno
import os

from attrs import frozen

FIRST_OCTETS, MOST_OCTETS = 4096, 1 << 20  # of a row
# What getpwnam_r(3) lists for "there is none"; glibc says 0.
NONE = frozenset((0, errno.ENOENT, errno.ESRCH, errno.EBADF, errno.EPERM))


@frozen
class User:
    name: str
    uid: int
    gid: int
    home: str


class _Row(ctypes.Structure):
    """struct passwd of glibc and musl."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("password", ctypes.c_char_p),
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("gecos", ctypes.c_char_p),
        ("home", ctypes.c_char_p),
        ("shell", ctypes.c_char_p),
    ]


def system_user(name: str) -> User | None:
    """The user with this name; may wait for a network, without the interpreter lock.

    Raises OSError if the system cannot say."""
    if not name or "\0" in name:
        return None
    octets = FIRST_OCTETS
    while True:
        row, found = _Row(), ctypes.c_void_p()
        space = ctypes.create_string_buffer(octets)
        fault = ctypes.CDLL(None).getpwnam_r(
            name.encode(),
            ctypes.byref(row),
            space,
            ctypes.c_size_t(octets),
            ctypes.byref(found),
        )
        if fault != errno.ERANGE or octets >= MOST_OCTETS:
            return _user(row, bool(found), fault)
        octets *= 4


def _user(row: _Row, found: bool, fault: int) -> User | None:
    if found:
        return User(os.fsdecode(row.name), row.uid, row.gid, os.fsdecode(row.home))
    if fault not in NONE:
        raise OSError(fault, os.strerror(fault))
    return None
