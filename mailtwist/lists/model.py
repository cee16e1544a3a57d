"""Lists and their members as values.

Addresses of people are compared as `key_of` makes them: without case, A-labels where
they are typed so.  Times are seconds of the epoch.
"""

from __future__ import annotations

from attrs import field, frozen

from ..address import Address, ascii_domain
from ..config.listing import ListOptions

EACH, DIGEST, PLAIN_DIGEST, NOMAIL = "each", "digest", "plain", "nomail"
MODES = (EACH, DIGEST, PLAIN_DIGEST, NOMAIL)
OWNER, MODERATOR, POSTER, BANNED = "owner", "moderator", "poster", "banned"
ROLES = (OWNER, MODERATOR, POSTER, BANNED)


def key_of(address: Address) -> str:
    """One spelling of an address for comparing."""
    domain = ascii_domain(address.domain) if address.domain else ""
    return f"{address.quoted_local_part}@{domain}".lower()


@frozen
class MailingList:
    """One list.

    `address` has the name lower case; `secret` signs links.  `configured` if the
    configuration file makes it.
    """

    number: int
    address: Address
    options: ListOptions
    secret: bytes = field(default=b"", repr=False)
    configured: bool = False

    @property
    def name(self) -> str:
        return self.address.local_part

    @property
    def list_id(self) -> str:
        """RFC 2919 §2, without its brackets."""
        return f"{self.name}.{ascii_domain(self.address.domain)}"

    def at(self, function: str, detail: str = "") -> Address:
        """Another address of the list: `dev-request`, `dev-confirm+token`."""
        tail = f"+{detail}" if detail else ""
        return Address(f"{self.name}-{function}{tail}", self.address.domain)


@frozen
class Member:
    """`number` names it in the database.

    `vacation`: no mail until it ends, whatever `mode` says.  `stopped` if bounces
    stopped its delivery; `score` is that of its bounces, the last of `scored_kind` at
    `scored_s`.  `accepted` counts posts that went out.  `copies` False: its own posts
    are not sent to it.
    """

    number: int
    address: Address
    name: str = ""
    mode: str = EACH
    vacation: bool = False
    copies: bool = True
    moderated: bool = False
    accepted: int = 0
    score: float = 0.0
    scored_s: float = 0.0
    scored_kind: str = ""
    stopped: bool = False
    joined_s: float = 0.0

    @property
    def wants(self) -> str:
        """The mode that counts now."""
        return NOMAIL if self.vacation or self.stopped else self.mode


@frozen
class Pending:
    """Something that waits for an answer with its `token`.

    `kind`: "subscribe" or "unsubscribe" (the address itself answers), "admit" (a
    moderator lets an address in), "post" (a moderator lets a message out; `octets` has
    it) or "probe" (comes back if the address is dead).
    """

    token: str
    kind: str
    address: Address
    made_s: float
    expires_s: float
    mode: str = EACH
    name: str = ""
    subject: str = ""
    reason: str = ""
    octets: bytes = field(default=b"", repr=False)


@frozen
class Entry:
    """A post in the index of the archive; `number` from 1 in each list, 0 before it has
    one."""

    number: int
    at_s: float
    message_id: str
    subject: str
    author: str
    references: tuple[str, ...] = ()
    text: str = field(default="", repr=False)

    @property
    def title(self) -> str:
        return self.subject or "(no subject)"
