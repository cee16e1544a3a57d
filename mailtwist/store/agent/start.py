"""What the root side needs to start an agent: its words and its environment.

Nothing here uses a reactor, so that a process without one may start agents too.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import attrs

from ...config.deleting import Deleted
from ...config.limiting import QuotaLimits
from ...config.mbox import Mbox
from ...config.model import Config, Delivery
from ...config.reading import Imap4
from ...config.searching import Search
from ...keeper.folders import AGENTS

SOCKET = 3  # the descriptor that an agent finds its socket at
PROGRAM = "mailtwist.store.agent.main"
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def agent_pattern(config: Config, hostname: str) -> list[str]:
    """The program and its arguments for any uid: `{uid}` stands where that is to be put
    in.  It is started with the user's rights, and its socket as descriptor SOCKET."""
    settings = {
        "hostname": hostname,
        "folder": os.path.join(os.path.abspath(config.server.data), AGENTS, "{uid}"),
        "level": config.log.level,
        "poll_s": config.imap4.poll_s,
        "special_uses": config.imap4.special_uses,
        "delivery": attrs.asdict(config.delivery),
        "mbox": attrs.asdict(config.mbox),
        "quota": attrs.asdict(config.quota),
        "search": attrs.asdict(config.search),
        "deleted": attrs.asdict(config.deleted),
    }
    return [sys.executable, "-s", "-m", PROGRAM, json.dumps(settings)]


def settings_of(text: str) -> tuple[str, str, str, Config]:
    """(hostname, folder, level of the log, what a store reads of the configuration)."""
    told = json.loads(text)
    quota: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["quota"].items()
    }
    config = Config(
        imap4=Imap4(poll_s=told["poll_s"], special_uses=tuple(told["special_uses"])),
        delivery=Delivery(**told["delivery"]),
        mbox=Mbox(**told["mbox"]),
        quota=QuotaLimits(**quota),
        search=Search(**told["search"]),
        deleted=Deleted(**told["deleted"]),
    )
    return told["hostname"], told["folder"], told["level"], config


def agent_environment() -> dict[str, str]:
    """Nothing of ours but where the program is."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": ROOT}
