"""crypt(3) of the system's C library: yescrypt, bcrypt, SHA-2, MD5 and DES hashes.

Called through ctypes, which gives the GIL away meanwhile; Python's own `crypt` is gone.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from functools import cache
from typing import Any

DATA_OCTETS = 256 * 1024  # struct crypt_data: 32 KiB in libxcrypt, 128 KiB in glibc

_threads = threading.local()


@cache
def _crypt_r() -> Any:
    """The function, or None on a system without it."""
    for name in ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt")):
        try:
            found = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        found.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        found.restype = ctypes.c_char_p
        return found
    return None


def crypt(password: bytes, setting: bytes) -> bytes | None:
    """The hash of `password` made as `setting` was: a hash, or its beginning.

    None if the system does not know that kind.  A password with a NUL has no hash: C
    would see the part before it only."""
    function = _crypt_r()
    if function is None or b"\0" in password or b"\0" in setting:
        return None
    data = getattr(_threads, "data", None)
    if data is None:
        data = _threads.data = ctypes.create_string_buffer(DATA_OCTETS)
    made: bytes | None = function(password, setting, data)
    ctypes.memset(data, 0, DATA_OCTETS)  # the password may have left traces
    return None if made is None or made.startswith(b"*") else made
