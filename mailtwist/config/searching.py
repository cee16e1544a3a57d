"""`[search]`: the full-text index of each account."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from .checks import Check, between, ge, in_
from .option import KIB, MIB, option

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")


def _are_commands(commands: Mapping[str, Sequence[str]]) -> bool:
    return all(
        _MEDIA_TYPE.fullmatch(kind)
        and words
        and words[0]
        and not any("\0" in word for word in words)
        for kind, words in commands.items()
    )


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
        "Size of an account's index at which no more is put in; it takes about one and "
        "a half times the octets of the text.",
        ge(MIB),
    )
    extract: Mapping[str, Sequence[str]] = option(
        {},
        "Commands that make text of attachments, by media type: the decoded part is on "
        "the standard input, the text is read from the standard output as UTF-8. There "
        "is no shell; a program without a path is looked for in /usr/bin and /bin. "
        "FUZZY searches alone look into this text. Messages that are indexed already "
        "keep what they have until `mailtwist index --rebuild`.",
        Check("lower-case media types, each with a program", _are_commands),
        commands=True,
    )
    extract_timeout_s: float = option(
        20.0, "After this time a command is killed.", between(1, 600)
    )
    extract_cpu_s: int = option(
        10, "Processor time that each process of a command may take.", between(1, 600)
    )
    extract_memory_octets: int = option(
        512 * MIB, "Memory that each process of a command may have.", ge(16 * MIB)
    )
    extract_part_octets: int = option(
        16 * MIB, "A part with more octets than this is not read.", ge(KIB)
    )
    extract_octets: int = option(
        256 * KIB,
        "Octets of such text that are kept of one message; a command that writes more "
        "is killed and its beginning kept.",
        between(KIB, MIB),
    )
