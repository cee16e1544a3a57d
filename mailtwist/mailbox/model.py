"""The values that cross between sessions and stores.

A *path* is a tuple of unicode components, ("INBOX",) or ("Lists", "python"); the
delimiter and the wire's encoding are the protocol's affair.  The first component INBOX
is always in upper case.  UIDs and MODSEQs are positive ints.  Message tables are
columns (parallel lists), because a mailbox of 100,000 rows of objects is slow to make.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from attrs import field, frozen

from ..flags import Flags

Path = tuple[str, ...]

INBOX: Path = ("INBOX",)

# Of names that anybody speaks of; `config.reading.Imap4` lets clients make fewer.
MOST_LEVELS = 64
MOST_NAME = 1000  # octets in UTF-8, delimiters included

# Special uses (RFC 6154 §2) as LIST prints them.
SPECIAL_USES = (
    "\\All",
    "\\Archive",
    "\\Drafts",
    "\\Flagged",
    "\\Junk",
    "\\Sent",
    "\\Trash",
)


@frozen
class Namespaces:
    """The first components of the names of what is not the login's own."""

    others: str = "Other Users"
    shared: str = "Shared"
    deleted: str = ""  # of what the login deleted, if that is shown

    def personal(self, path: Path) -> bool:
        beyond = self.others, self.shared, self.deleted
        return not path or path[0] not in beyond


@frozen
class MailboxInfo:
    """One name in the account's tree."""

    path: Path
    object_id: str  # stable over renames; "" if the name exists only by its children
    selectable: bool = True
    exists: bool = True  # False: only a subscription of that name is left
    subscribed: bool = False
    special_uses: frozenset[str] = frozenset()
    marked: bool = False  # has messages nobody has looked at (new/ is not empty)


class Listing(list[MailboxInfo]):
    """The names of an account at a time; nobody changes it.

    A store gives the same one again while nothing changed, so what readers make of it
    is kept in `derived`, under keys of their own, as long as it is.
    """

    def __init__(self, infos: Iterable[MailboxInfo] = ()) -> None:
        super().__init__(infos)
        self.derived: dict[Any, Any] = {}


@frozen
class Annotation:
    """One annotation (RFC 5464) of a mailbox, or of the account with path ();
    `name` is in lower case."""

    path: Path
    name: str
    value: bytes


@frozen
class ScriptInfo:
    """A Sieve script of the account; at most one is active."""

    name: str
    octets: int
    active: bool


@frozen
class MailboxStatus:
    """The figures of STATUS and SELECT (RFC 3501 §6.3.10, RFC 7162 §3.1.2)."""

    messages: int
    recent: int
    unseen: int
    deleted: int
    octets: int  # sum of RFC822.SIZE
    uid_next: int
    uid_validity: int
    highest_modseq: int
    object_id: str = ""  # of the mailbox; stable over renames
    deleted_octets: int = 0  # what an EXPUNGE would free


@frozen
class MessageRows:
    """Columns of messages in ascending UID order; all lists have the same length.

    `octets` is RFC822.SIZE: with CRLF line ends whatever the file has.
    `internal_dates` are seconds since 1970 UTC.
    """

    uids: list[int] = field(factory=list)
    modseqs: list[int] = field(factory=list)
    flags: list[Flags] = field(factory=list)
    octets: list[int] = field(factory=list)
    internal_dates: list[int] = field(factory=list)

    def __len__(self) -> int:
        return len(self.uids)


@frozen
class Changes:
    """What happened in a mailbox after a MODSEQ.

    `rows` holds the messages that are new or changed; `vanished` the UIDs expunged,
    ascending.  A UID is in at most one of them.  Not `complete`: more may have vanished
    after that MODSEQ than is remembered.
    """

    highest_modseq: int
    rows: MessageRows
    vanished: list[int]
    complete: bool = True


class Column(Enum):
    """Rendered octets of messages: what the cache keeps (architecture: index, do not
    parse again), and behind it what the state keeps, b"" if it is not known.

    What the cache keeps is for clients that read UTF-8; SURROGATE has it for others.
    """

    ENVELOPE = "envelope"  # the parenthesized list of RFC 3501 §7.4.2
    BODY = "body"  # BODY without extension data
    BODYSTRUCTURE = "bodystructure"
    FIELDS = "fields"  # octets of the header fields in mime.index.KEPT_FIELDS
    PARTS = "parts"  # mime.part.Part.encode(): the tree with its octet ranges
    SURROGATE = "surrogate"  # mime.surrogate.Surrogate.encode(); b"" if all is ASCII
    PREVIEW = "preview"  # RFC 8970, in UTF-8; made when it is asked for first
    LAZY_PREVIEW = "lazy_preview"  # the same, or NO_PREVIEW if it would have to be made
    THREADING = "threading"  # mailbox.threaded; made when it is asked for first
    EMAIL_ID = "email_id"  # RFC 8474 §5.1, without the letter in front
    THREAD_ID = "thread_id"  # RFC 8474 §5.2, likewise
    SAVED_AT = "saved_at"  # RFC 8514: seconds since 1970 UTC, in decimal


NO_PREVIEW = b"\0"  # no preview has that octet

# What is not rendered with everything else of a message.
PREVIEWS = frozenset({Column.PREVIEW, Column.LAZY_PREVIEW})
KEPT = frozenset({Column.EMAIL_ID, Column.THREAD_ID, Column.SAVED_AT})


@frozen
class Range:
    """Octets `start` to `start + count` of a message; count None means to the end.

    Offsets count CRLF line ends, as RFC822.SIZE does.
    """

    uid: int
    start: int = 0
    count: int | None = None


class TextPlace(Enum):
    """Where a text index looks: the header and those of parts, the body, or both; or
    in what commands made of attachments, where no exact search looks."""

    HEADER = "header"
    BODY = "body"
    TEXT = "text"
    EXTRACT = "extract"


@frozen
class TextHits:
    """What a text index knows of a needle.

    `covered`: the UIDs that are indexed, as pairs low, high, low, high...  `uids`:
    those of them, ascending, that have the needle in TextPlace.BODY or TEXT, or may
    have it in the other places; any other has it not.
    """

    uids: list[int]
    covered: list[int]


@frozen
class TextFigures:
    """A text index: `added` are messages that were just put in, `dead` those that are
    gone and still take room."""

    mailboxes: int = 0
    messages: int = 0
    added: int = 0
    dead: int = 0
    octets: int = 0


@frozen
class Finding:
    """Something that does not agree, in so many places; `path` () is the account's."""

    path: Path
    what: str
    count: int = 1
    repaired: bool = False


@frozen
class Checked:
    """What a look at everything of an account found."""

    mailboxes: int = 0
    messages: int = 0
    findings: list[Finding] = field(factory=list)


class FlagAction(Enum):
    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"


@frozen
class FlagChange:
    action: FlagAction
    flags: Flags


@frozen
class Stored:
    """What a flag change did.

    `rows`: the messages as they are now (also those that had the flags already).
    `modified`: UIDs left alone because their MODSEQ was above UNCHANGEDSINCE.
    """

    rows: MessageRows
    modified: list[int]
    highest_modseq: int


@frozen
class Copied:
    """UIDs in the source and, in the same order, in the target (RFC 4315 COPYUID)."""

    uid_validity: int
    source_uids: list[int]
    target_uids: list[int]


@frozen
class Appended:
    uid_validity: int
    uids: list[int]


@frozen
class Expunged:
    uids: list[int]
    highest_modseq: int


@frozen
class Limits:
    """What may be held at most; None is no limit."""

    octets: int | None = None
    messages: int | None = None
    mailboxes: int | None = None

    @property
    def any(self) -> bool:
        """True if there is one."""
        return (self.octets, self.messages, self.mailboxes) != (None, None, None)


NO_LIMITS = Limits()


@frozen
class Quota:
    """A quota root (RFC 9208 §3): what the mailbox `root` and its inferiors hold, or
    all of the account for (), and what that may be.

    `mailboxes` is counted where there is a limit of them, else it is 0.  Of the sum of
    a domain's accounts `domain` is the name, and `root` is ()."""

    root: Path
    octets: int
    messages: int
    mailboxes: int
    limits: Limits
    domain: str = ""


def covers(root: Path, path: Path) -> bool:
    """True if what is in the mailbox `path` counts towards the limits of `root`."""
    return path[: len(root)] == root


@frozen
class Usage:
    """Octets and messages of a whole account; a limit that is None is none."""

    octets: int
    messages: int
    limit_octets: int | None
    limit_messages: int | None = None
