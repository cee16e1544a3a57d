"""What IMAP clients ask of that which the store keeps beside messages, as values."""

from __future__ import annotations

from attrs import frozen


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
