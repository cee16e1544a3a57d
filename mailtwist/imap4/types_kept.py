"""What IMAP clients ask of that which the store keeps beside messages, as values."""

from __future__ import annotations

from attrs import frozen

from ..mailbox.model import Path
from ..mailbox.rights import RightsChange


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


@frozen
class SetAcl:
    """SETACL and DELETEACL (RFC 4314 §3.1, §3.2); `identifier` is prepared."""

    path: Path
    identifier: str
    change: RightsChange


@frozen
class GetAcl:
    """GETACL (RFC 4314 §3.3)."""

    path: Path


@frozen
class ListRights:
    """LISTRIGHTS (RFC 4314 §3.4); `wire` is the identifier as the client wrote it."""

    path: Path
    identifier: str
    wire: bytes


@frozen
class MyRights:
    """MYRIGHTS (RFC 4314 §3.5)."""

    path: Path


KeptAttribute = FetchEmailId | FetchThreadId | FetchSaveDate | FetchPreview
AclCommand = SetAcl | GetAcl | ListRights | MyRights
KeptCommand = (
    GetMetadata | SetMetadata | GetQuota | GetQuotaRoot | SetQuota | AclCommand
)
