"""What the root side needs to start an agent: its folder, its words, its environment.

Nothing here uses a reactor, so that a process without one may start agents too.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import stat
import sys

import attrs

from ...config.model import Config, Delivery, Imap4

SOCKET = 3  # the descriptor that an agent finds its socket at
AGENTS = "agents"  # in the data folder
PROGRAM = "mailtwist.store.agent.main"
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
_SEARCHED = stat.S_IXGRP | stat.S_IXOTH


class NotStarted(Exception):
    """Why no agent can be started for a uid."""


def agent_words(config: Config, hostname: str, uid: int, gid: int) -> list[str]:
    """The program and its arguments, started with root's rights, which it gives up
    before it does anything else; its socket is descriptor SOCKET.

    Makes its folder below the data folder.  Raises NotStarted."""
    if uid <= 0 or gid <= 0:
        raise NotStarted("agents never run as root")
    try:
        folder = agent_folder(config.server.data, uid, gid)
    except OSError as fault:
        raise NotStarted(f"{fault.filename or AGENTS}: {fault.strerror}") from fault
    settings = {
        "hostname": hostname,
        "folder": folder,
        "level": config.log.level,
        "poll_s": config.imap4.poll_s,
        "delivery": attrs.asdict(config.delivery),
    }
    words = [sys.executable, "-s", "-m", PROGRAM, str(uid), str(gid)]
    return [*words, json.dumps(settings)]


def settings_of(text: str) -> tuple[str, str, str, Config]:
    """(hostname, folder, level of the log, what a store reads of the configuration)."""
    told = json.loads(text)
    config = Config(
        imap4=Imap4(poll_s=told["poll_s"]), delivery=Delivery(**told["delivery"])
    )
    return told["hostname"], told["folder"], told["level"], config


def agent_environment() -> dict[str, str]:
    """Nothing of ours but where the program is."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": ROOT}


def become(uid: int, gid: int) -> None:
    """Give up every right but those of this user, for good; raises OSError."""
    groups = [gid]
    with contextlib.suppress(KeyError):
        groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    os.setgroups([group for group in groups if group])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()):
        raise PermissionError("root's rights are still there")


# -- its folder -------------------------------------------------------------------


def agent_folder(data: str, uid: int, gid: int) -> str:
    """DATA/agents/UID for state and cache, owned by the uid and for nobody else.

    Made through descriptors, and only in a folder of root's that nobody else may
    write, as the data folder is not root's.  Raises OSError, NotStarted."""
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
            raise NotStarted(f"{data}/{AGENTS} may be written by others than root")
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
