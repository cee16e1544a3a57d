"""What a script ends with.  Nothing of it was done yet.

`place` says where the script asked for it; None for an implicit keep.
"""

from __future__ import annotations

from attrs import frozen

from ..address import Address
from ..flags import NONE, Flags
from .faults import Fault, Place

Piece = bytes | tuple[int, int]


@frozen
class Draft:
    """Another message made from the one that came: octets, and ranges (start, stop) of
    its octets."""

    pieces: tuple[Piece, ...]


@frozen
class Target:
    """A mailbox: by name, made if it is missing and `create` says so.

    `object_id` and `special_use` go before the name if there is such a mailbox.
    """

    name: str = "INBOX"
    create: bool = False
    object_id: str = ""
    special_use: str = ""


@frozen
class Keep:
    """Into the mailbox that the mail would go to without a script."""

    flags: Flags = NONE
    draft: Draft | None = None
    place: Place | None = None


@frozen
class FileInto:
    target: Target
    flags: Flags = NONE
    draft: Draft | None = None
    place: Place | None = None


@frozen
class Dsn:
    """What a redirect asks for: RFC 6009 §4 and §6.

    `notify` words of RFC 3461 §4.1 or None, `ret` "FULL", "HDRS" or ""; `by_s` the
    deadline as seconds of the epoch or None, `by_mode` "R" or "N", `by_trace`.
    """

    notify: frozenset[str] | None = None
    ret: str = ""
    by_s: float | None = None
    by_mode: str = "R"
    by_trace: bool = False


@frozen
class Redirect:
    """To `address`, or to the members of the external list with that name."""

    address: Address | None
    members_of: str = ""
    dsn: Dsn = Dsn()
    draft: Draft | None = None
    place: Place | None = None


@frozen
class Discard:
    place: Place | None = None


@frozen
class Reject:
    """`in_smtp` for ereject: a refusal is better than a notice (RFC 5429 §2.1)."""

    reason: str
    in_smtp: bool
    place: Place | None = None


@frozen
class Copy:
    """Where a message that a script sends is filed too (RFC 8580)."""

    target: Target
    flags: Flags = NONE


@frozen
class Vacation:
    """`handle` is what makes it the same answer as before; `addresses` are the owner's
    further ones; `mime` if `reason` is a whole entity with its header."""

    reason: str
    seconds: int
    handle: str
    subject: str | None = None
    sender: str | None = None
    addresses: tuple[str, ...] = ()
    mime: bool = False
    fcc: Copy | None = None
    place: Place | None = None


@frozen
class Notify:
    """A message to `recipients`, as RFC 5436 makes it of a mailto URI and what the
    script said; `fields` are header fields of the URI that may be set."""

    recipients: tuple[Address, ...]
    subject: str
    text: str
    importance: int = 2
    sender: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    fcc: Copy | None = None
    place: Place | None = None


@frozen
class Remember:
    """Keep in mind for `seconds` that this was seen (RFC 7352); `again` if it was
    before."""

    key: bytes
    seconds: int
    place: Place | None = None
    again: bool = False


Action = Keep | FileInto | Redirect | Discard | Reject | Vacation | Notify | Remember


@frozen
class Step:
    """One line of a trace."""

    place: Place
    text: str


@frozen
class Outcome:
    """What is to be done, in order; never nothing.

    `failed` are scripts that stopped, each a keep: (name, why)."""

    actions: tuple[Action, ...]
    failed: tuple[tuple[str, Fault], ...] = ()
    trace: tuple[Step, ...] = ()
