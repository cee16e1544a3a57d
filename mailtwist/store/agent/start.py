"""What the root side needs to start an agent: its folder, its words, its environment.

Nothing here uses a reactor, so that a process without one may start agents too.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import sys

import attrs

from ...config.model import Config, Delivery, Imap4
from ...keeper.folders import AGENTS, agent_folder

SOCKET = 3  # the descriptor that an agent finds its socket at
PROGRAM = "mailtwist.store.agent.main"
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


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
    return agent_command(config, hostname, str(uid), str(gid), folder)


def agent_pattern(config: Config, hostname: str) -> list[str]:
    """The words for any uid: `{uid}` and `{gid}` stand where they are to be put in."""
    folder = os.path.join(config.server.data, AGENTS, "{uid}")
    return agent_command(config, hostname, "{uid}", "{gid}", folder)


def agent_command(
    config: Config, hostname: str, uid: str, gid: str, folder: str
) -> list[str]:
    settings = {
        "hostname": hostname,
        "folder": folder,
        "level": config.log.level,
        "poll_s": config.imap4.poll_s,
        "delivery": attrs.asdict(config.delivery),
    }
    words = [sys.executable, "-s", "-m", PROGRAM, uid, gid]
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
    """Give up every right but those of this user, for good; raises OSError.

    Who started us may have done so already."""
    if os.geteuid() == 0:
        groups = [gid]
        with contextlib.suppress(KeyError):
            groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
        os.setgroups([group for group in groups if group])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()):
        raise PermissionError("root's rights are still there")
