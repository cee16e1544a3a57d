"""What IMAP clients ask of that which the store keeps beside messages, as values."""

from __future__ import annotations

from attrs import frozen

from ..mailbox.model import Path


@frozen
class FetchEmailId:
    """EMAILID (RFC 8474 §5.1)."""


@frozen
class FetchThreadId:
    """THREADID (RFC 8474 §5.2)."""


@frozen
class FetchPreview:
    """PREVIEW (RFC 8970 §3.1); `lazy`: NIL will do if it has to be made."""

    lazy: bool = False


@frozen
class FetchSaveDate:
    """SAVEDATE (RFC 8514 §4.2)."""


@frozen
class GetMetadata:
    """GETMETADATA (RFC 5464 §4.2); path () is the server.

    `names` are in lower case; `depth` levels below them are wanted too, None for all.
    `most_octets` None is any size of a value.
    """

    path: Path
    names: tuple[str, ...]
    depth: int | None = 0
    most_octets: int | None = None


@frozen
class SetMetadata:
    """SETMETADATA (RFC 5464 §4.3): values by name in lower case; None removes."""

    path: Path
    values: tuple[tuple[str, bytes | None], ...]


@frozen
class GetQuota:
    """GETQUOTA (RFC 9208 §4.1.1): the name of a quota root as the client wrote it."""

    root: bytes


@frozen
class GetQuotaRoot:
    """GETQUOTAROOT (RFC 9208 §4.1.2)."""

    path: Path


@frozen
class SetQuota:
    """SETQUOTA (RFC 9208 §4.1.3): limits by resource in upper case."""

    root: bytes
    limits: tuple[tuple[str, int], ...]


KeptAttribute = FetchEmailId | FetchThreadId | FetchSaveDate | FetchPreview
KeptCommand = GetMetadata | SetMetadata | GetQuota | GetQuotaRoot | SetQuota
