"""`[search]`: the full-text index of each account."""

from __future__ import annotations

from attrs import frozen

from .checks import between, ge, in_
from .option import KIB, MIB, option


@frozen(kw_only=True)
class Search:
    """The index that makes searches in texts fast; it never changes what is found."""

    index: str = option(
        "background",
        "`background`: kept up while mailboxes are used; `manual`: made by `mailtwist "
        "index` alone; `off`: not used. Messages that are not indexed are read.",
        in_(("background", "manual", "off")),
    )
    share: int = option(
        25,
        "Percent of a processor's time that indexing in the background takes at most.",
        between(1, 100),
    )
    message_octets: int = option(
        MIB,
        "Octets of text of one message that are indexed; one with more is read.",
        ge(KIB),
    )
    account_octets: int = option(
        2048 * MIB,
        "Size of an account's index at which no more is put in; it takes about half of "
        "the text.",
        ge(MIB),
    )
