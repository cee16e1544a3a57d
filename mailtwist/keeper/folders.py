"""A store agent's own folder, made by root in a folder that is not root's."""

from __future__ import annotations

import contextlib
import os
import stat

AGENTS = "agents"  # in the data folder
_SEARCHED = stat.S_IXGRP | stat.S_IXOTH


def agent_folder(data: str, uid: int, gid: int) -> str:
    """DATA/agents/UID for state and cache, owned by the uid and for nobody else.

    Made through descriptors, and only in a folder of root's that nobody else may
    write, as the data folder is not root's.  Raises OSError."""
    above = _opened(data, None)
    try:
        mode = os.fstat(above).st_mode
        if mode & _SEARCHED != _SEARCHED:  # the files in it stay as they are
            os.fchmod(above, stat.S_IMODE(mode) | _SEARCHED)
        agents = _made(AGENTS, above, 0o711)
    finally:
        os.close(above)
    try:
        seen = os.fstat(agents)
        if seen.st_uid != os.geteuid() or seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(1, "may be written by others", f"{data}/{AGENTS}")
        own = _made(str(uid), agents, 0o700)
    finally:
        os.close(agents)
    try:
        if os.fstat(own).st_uid != uid:
            os.fchown(own, uid, gid)
    finally:
        os.close(own)
    return os.path.join(data, AGENTS, str(uid))


def _made(name: str, above: int, mode: int) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=above)
        made = _opened(name, above)
        os.fchmod(made, mode)  # whatever the umask took
        return made
    return _opened(name, above)


def _opened(path: str, above: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, dir_fd=above)
