"""`[deleted]`: mail that users expunged."""

from __future__ import annotations

from attrs import frozen

from .checks import ge
from .option import option


@frozen(kw_only=True)
class Deleted:
    """Expunged messages, and those of deleted mailboxes, may be kept for a while."""

    keep_s: float = option(
        0.0,
        "How long they can be had back (`mailtwist undelete`); 0: they are gone at "
        "once. They take room on disk meanwhile and do not count towards limits.",
        ge(0),
    )
