"""What an IMAP client asked for, as values: one class per command (RFC 3501 §6).

The grammar makes them, `engine` hands them out, `cmd/` answers them.  Mailboxes are
`mailbox.model.Path`; flags are str in the spelling of `flags.canonical`; octets that
go back to the client as it wrote them (header field names) are bytes.  `uid` on a
command says that it came as `UID <command>`: its sequence set holds UIDs and its FETCH
responses carry UID (RFC 3501 §6.4.8).  A sequence set may hold `seqset.STAR`; resolve
it with `selected.Selected.uids_of`.
"""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from ..mailbox.model import FlagChange, Path
from ..secret import Secret
from ..seqset import SequenceSet
from .types_append import Append
from .types_events import CancelUpdate, Notify, UidBatches
from .types_kept import KeptAttribute, KeptCommand
from .types_search import MultiSearch, PartialRange, Search, Sort, Thread
from .types_urlauth import UrlCommand

# -- any state --------------------------------------------------------------------


@frozen
class Capability:
    """CAPABILITY (§6.1.1)."""


@frozen
class Noop:
    """NOOP (§6.1.2)."""


@frozen
class Logout:
    """LOGOUT (§6.1.3): untagged BYE, then OK, then the connection is closed."""


@frozen
class Id:
    """ID (RFC 2971 §3.1): the client's fields in its order, at most 30; () for NIL."""

    fields: tuple[tuple[str, str | None], ...] = ()


# -- not authenticated ------------------------------------------------------------


@frozen
class StartTls:
    """STARTTLS (§6.2.1): nothing was behind it in the same segment."""


@frozen
class Authenticate:
    """AUTHENTICATE (§6.2.2); `mechanism` in upper case.

    `initial` is the decoded initial response (RFC 4959), Secret(b"") for "=", None if
    the client gave none.
    """

    mechanism: str
    initial: Secret | None = None


@frozen
class Login:
    """LOGIN (§6.2.3): octets of the password as sent, the user name from UTF-8."""

    user: str
    password: Secret


# -- authenticated ----------------------------------------------------------------


@frozen
class Enable:
    """ENABLE (RFC 5161): names in upper case, also those nobody knows."""

    capabilities: tuple[str, ...]


@frozen
class Resync:
    """QRESYNC of SELECT and EXAMINE (RFC 7162 §3.2.5): what the client knows.

    `known` None is all; `matches` are message numbers and UIDs, as many of each, of
    which the n-th belong together.
    """

    uid_validity: int
    modseq: int
    known: SequenceSet | None = None
    matches: tuple[SequenceSet, SequenceSet] | None = None


@frozen
class Select:
    """SELECT (§6.3.1), with `condstore` if the client wrote (CONDSTORE)."""

    path: Path
    condstore: bool = False
    resync: Resync | None = None


@frozen
class Examine:
    """EXAMINE (§6.3.2): as Select, read-only."""

    path: Path
    condstore: bool = False
    resync: Resync | None = None


@frozen
class Create:
    """CREATE (§6.3.3) with USE (RFC 6154 §3); uses spelled as in SPECIAL_USES.

    A name that ends with the delimiter is for names under it; a plain mailbox does as
    well, so it is one.
    """

    path: Path
    special_uses: frozenset[str] = frozenset()


@frozen
class Delete:
    path: Path


@frozen
class Rename:
    old: Path
    new: Path


@frozen
class Subscribe:
    path: Path


@frozen
class Unsubscribe:
    path: Path


class StatusItem(Enum):
    """status-att; the value is its spelling on the wire."""

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    DELETED = "DELETED"  # RFC 9051 §6.3.11
    SIZE = "SIZE"  # RFC 8438 §2
    HIGHESTMODSEQ = "HIGHESTMODSEQ"  # RFC 7162 §3.1.7
    APPENDLIMIT = "APPENDLIMIT"  # RFC 7889 §3.1
    DELETED_STORAGE = "DELETED-STORAGE"  # RFC 9208 §4.1.4
    MAILBOXID = "MAILBOXID"  # RFC 8474 §4.3


class ListSelect(Enum):
    """list-select-opt (RFC 5258 §3.1, RFC 6154 §2)."""

    SUBSCRIBED = "SUBSCRIBED"
    REMOTE = "REMOTE"
    RECURSIVEMATCH = "RECURSIVEMATCH"
    SPECIAL_USE = "SPECIAL-USE"


class ListReturn(Enum):
    """return-option (RFC 5258 §3.2, RFC 5819, RFC 6154)."""

    SUBSCRIBED = "SUBSCRIBED"
    CHILDREN = "CHILDREN"
    SPECIAL_USE = "SPECIAL-USE"
    STATUS = "STATUS"
    METADATA = "METADATA"  # RFC 9590 §3
    MYRIGHTS = "MYRIGHTS"  # RFC 8440 §3


@frozen
class List:
    """LIST (§6.3.8, RFC 5258): match with `names.Matcher(reference, patterns)`.

    `reference` and `patterns` are str, already decoded from modified UTF-7.  A sole
    pattern "" asks for delimiter and root of `reference`.  `extended` is True if the
    command had any part of RFC 5258.  `status` holds the items of RETURN (STATUS
    (...)), `metadata` the entries of RETURN (METADATA (...)).  RECURSIVEMATCH never
    comes without SUBSCRIBED.
    """

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[ListSelect] = frozenset()
    returns: frozenset[ListReturn] = frozenset()
    status: tuple[StatusItem, ...] = ()
    extended: bool = False
    metadata: tuple[str, ...] = ()


@frozen
class Lsub:
    """LSUB (§6.3.9)."""

    reference: str
    pattern: str


@frozen
class Status:
    """STATUS (§6.3.10): the items once each, in the client's order."""

    path: Path
    items: tuple[StatusItem, ...]


@frozen
class Namespace:
    """NAMESPACE (RFC 2342)."""


@frozen
class Idle:
    """IDLE (RFC 2177)."""


@frozen
class Compress:
    """COMPRESS DEFLATE (RFC 4978)."""


@frozen
class Unauthenticate:
    """UNAUTHENTICATE (RFC 8437)."""


# -- selected ---------------------------------------------------------------------


@frozen
class Check:
    pass


@frozen
class Close:
    """CLOSE (§6.4.2): expunges silently unless the mailbox is read-only."""


@frozen
class Unselect:
    """UNSELECT (RFC 3691): as CLOSE without expunging."""


@frozen
class Expunge:
    """EXPUNGE (§6.4.3), or UID EXPUNGE of `uids` (RFC 4315 §2.1)."""

    uids: SequenceSet | None = None


@frozen
class Store:
    """STORE (§6.4.6) with UNCHANGEDSINCE (RFC 7162 §3.1.3); `silent` for .SILENT."""

    sequence_set: SequenceSet
    change: FlagChange
    silent: bool = False
    unchanged_since: int | None = None
    uid: bool = False


@frozen
class Copy:
    """COPY (§6.4.7)."""

    sequence_set: SequenceSet
    path: Path
    uid: bool = False


@frozen
class Move:
    """MOVE (RFC 6851)."""

    sequence_set: SequenceSet
    path: Path
    uid: bool = False


# -- FETCH ------------------------------------------------------------------------


@frozen
class FetchEnvelope:
    """ENVELOPE."""


@frozen
class FetchFlags:
    """FLAGS."""


@frozen
class FetchInternalDate:
    """INTERNALDATE."""


@frozen
class FetchSize:
    """RFC822.SIZE."""


@frozen
class FetchUid:
    """UID."""


@frozen
class FetchModSeq:
    """MODSEQ (RFC 7162 §3.1.4.2)."""


@frozen
class FetchStructure:
    """BODYSTRUCTURE, or BODY (without extension data) if not `extensible`."""

    extensible: bool = True


class SectionText(Enum):
    """What of the part: all of it, or section-text; the value is the wire's word."""

    ALL = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@frozen
class Section:
    """section (§6.4.5): part numbers from the root, () for the message itself.

    `fields` are field names in the client's spelling and order, for FIELDS and
    FIELDS_NOT.  MIME never comes with an empty `part`.
    """

    part: tuple[int, ...] = ()
    text: SectionText = SectionText.ALL
    fields: tuple[bytes, ...] = ()


@frozen
class Partial:
    """<start.count>: octets from `start` (0 or more), at most `count` (1 or more)."""

    start: int
    count: int


@frozen
class FetchBody:
    """BODY[section]<partial>, BODY.PEEK if `peek`: else it sets \\Seen."""

    section: Section = field(factory=Section)
    peek: bool = False
    partial: Partial | None = None


@frozen
class FetchBinary:
    """BINARY[section-part]<partial>, BINARY.PEEK if `peek` (RFC 3516 §4.2); `partial`
    counts decoded octets."""

    part: tuple[int, ...] = ()
    peek: bool = False
    partial: Partial | None = None


@frozen
class FetchBinarySize:
    """BINARY.SIZE[section-part]: how many octets BINARY has."""

    part: tuple[int, ...] = ()


@frozen
class FetchRfc822:
    """RFC822: as BODY[], answered under its own name; sets \\Seen."""


@frozen
class FetchRfc822Header:
    """RFC822.HEADER: as BODY.PEEK[HEADER], answered under its own name."""


@frozen
class FetchRfc822Text:
    """RFC822.TEXT: as BODY[TEXT], answered under its own name; sets \\Seen."""


FetchAttribute = (
    FetchEnvelope
    | FetchFlags
    | FetchInternalDate
    | FetchSize
    | FetchUid
    | FetchModSeq
    | FetchStructure
    | FetchBody
    | FetchBinary
    | FetchBinarySize
    | FetchRfc822
    | FetchRfc822Header
    | FetchRfc822Text
    | KeptAttribute
)


@frozen
class Fetch:
    """FETCH (§6.4.5): attributes once each, macros expanded, in the client's order.

    UID FETCH has FetchUid among them, but where UIDFETCH begins with the UID, only if
    it was asked for (RFC 9586 §3.3).  `changed_since` is RFC 7162 §3.1.4.1, and brings
    FetchModSeq with it.  `partial`: only these of the messages (RFC 9394 §3.3).
    `vanished`: what went since is told first (RFC 7162 §3.2.6).
    """

    sequence_set: SequenceSet
    attributes: tuple[FetchAttribute, ...]
    changed_since: int | None = None
    uid: bool = False
    partial: PartialRange | None = None
    vanished: bool = False


Command = (
    KeptCommand
    | Capability
    | Noop
    | Logout
    | Id
    | StartTls
    | Authenticate
    | Login
    | Enable
    | Select
    | Examine
    | Create
    | Delete
    | Rename
    | Subscribe
    | Unsubscribe
    | List
    | Lsub
    | Status
    | Append
    | Namespace
    | Idle
    | Compress
    | Unauthenticate
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | MultiSearch
    | Sort
    | Thread
    | Fetch
    | Store
    | Copy
    | Move
    | UrlCommand
    | CancelUpdate
    | UidBatches
    | Notify
)
