"""`[deleted]`: mail that users expunged."""

from __future__ import annotations

from attrs import frozen

from .checks import ge, matches_re
from .option import option

NO_NAME_OR_ONE = matches_re(
    r"|(?!(?i:INBOX)\Z)[^/.\\*%\x00-\x1f\x7f]{1,100}",
    "empty, or a name without any of / . \\ * %, other than INBOX",
)


@frozen(kw_only=True)
class Deleted:
    """Expunged messages, and those of deleted mailboxes, may be kept for a while."""

    keep_s: float = option(
        0.0,
        "How long they can be had back (`mailtwist undelete`); 0: they are gone at "
        "once. They take room on disk meanwhile and do not count towards limits.",
        ge(0),
    )
    namespace: str = option(
        "",
        "What the names of mailboxes with these messages begin with in IMAP: `Deleted "
        "Messages` for `Deleted Messages/INBOX`. They can be read and copied from, and "
        "not changed. Not shown if empty, or without `sharing.enabled`.",
        NO_NAME_OR_ONE,
    )
