"""The values of one mail transaction."""

from __future__ import annotations

from attrs import frozen

from ..address import Address
from ..directory.model import Account
from ..errors import MailError
from ..mailbox.model import INBOX, Path

Verdict = MailError | None


@frozen
class LocalRecipient:
    """A recipient whose mailbox is here.

    `address` is the forward-path as the client said it (goes into Delivered-To);
    `detail` the subaddress behind the separator ("" if none); `path` the mailbox.
    """

    address: Address
    account: Account
    detail: str = ""
    path: Path = INBOX


@frozen
class RemoteRecipient:
    """A recipient elsewhere: work for the queue."""

    address: Address


Recipient = LocalRecipient | RemoteRecipient


@frozen
class Envelope:
    """Everything about a message but its octets.

    `message_id` names it in logs and in the 250; `trace` is the Received field with its
    final CRLF, put in front of every copy.  `reverse_path` None is the null path <>.
    """

    message_id: str
    session_id: str
    reverse_path: Address | None
    recipients: tuple[Recipient, ...]
    trace: bytes = b""
    body: str = "7BIT"  # or 8BITMIME (RFC 6152)
    smtputf8: bool = False
    login: str | None = None
    size_octets: int | None = None  # what SIZE= announced
