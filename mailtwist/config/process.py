"""`[process]`: whom the server runs as."""

from __future__ import annotations

from attrs import frozen

from .checks import Check
from .option import option

AUTO = "auto"


def is_count(value: object) -> bool:
    return value == AUTO or (type(value) is int and value >= 1)


@frozen(kw_only=True)
class Process:
    """A server that is started as root gives root up when its ports are open."""

    user: str = option(
        "",
        "User that everything runs as that reads the network, mail and the user "
        "database, if the server is started as root; the data folder belongs to it. "
        "A small process stays root, for passwords of system users, for their mail and "
        "for renewed keys. If empty, the server stays who it is.",
    )
    group: str = option("", "Its group; the one of `user` in the system if empty.")
    workers: int | str = option(
        AUTO,
        'Processes that serve clients; `"auto"` is one for each processor that we may '
        "use. With 1 there is no master process either (docs/workers.md).",
        Check('a whole number, 1 or more, or "auto"', is_count),
        number_or_text=True,
    )
