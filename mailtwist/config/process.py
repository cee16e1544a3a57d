"""`[process]`: whom the server runs as."""

from __future__ import annotations

from attrs import frozen

from .option import option


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
