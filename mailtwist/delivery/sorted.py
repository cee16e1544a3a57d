"""Where a script put a message, as part of its way through the queue.

`Route("mailbox", next_hop)` has it, so that filing is queued in the same transaction as
everything else that the script asked for.
"""

from __future__ import annotations

import json

from attrs import evolve

from ..flags import Flags
from ..mailbox.model import Path
from .model import LocalRecipient, Route


def route_into(path: Path, flags: Flags, *, as_is: bool = False) -> Route:
    """The way into this mailbox, past the account's scripts; `as_is` as of
    LocalRecipient."""
    place: dict[str, object] = {"path": path, "flags": sorted(flags)}
    if as_is:
        place["as_is"] = True
    return Route("mailbox", json.dumps(place, ensure_ascii=False))


def sorted_into(recipient: LocalRecipient, next_hop: str) -> LocalRecipient:
    """The recipient with the place that the next hop of such a way names."""
    if not next_hop:
        return recipient
    place = json.loads(next_hop)
    return evolve(
        recipient,
        path=tuple(place["path"]),
        flags=frozenset(place["flags"]),
        sorted=True,
        as_is=place.get("as_is", False),
    )
