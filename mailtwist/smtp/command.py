"""What an SMTP client asks, as values; and the table of commands.

Nothing here shows a SASL response in a repr.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from ..address import Address
from ..errors import MailError


@frozen
class Connected:
    """The connection is there; the reply is the greeting."""


@frozen
class Hello:
    """EHLO, or HELO if not `extended`; `domain` as the client said it."""

    domain: str
    extended: bool


@frozen
class Mail:
    """MAIL; `reverse_path` None is the null path <>.

    `size_octets` None if not said (RFC 1870); `body` "7BIT" or "8BITMIME" (RFC 6152);
    `auth` the decoded AUTH parameter, "" for <>, None if not said (RFC 4954 §5).
    """

    reverse_path: Address | None
    size_octets: int | None = None
    body: str = "7BIT"
    smtputf8: bool = False
    auth: str | None = None


@frozen
class Rcpt:
    forward_path: Address


@frozen
class Data:
    pass


@frozen
class Content:
    """Some octets of a message, dots unstuffed; answered by `go_on`, not a reply."""

    octets: bytes = field(repr=False)


@frozen
class Spoiled:
    """The message has a fault: what was taken of it can go.  Answered by `go_on`."""


@frozen
class EndOfData:
    """The last octets of a message; with `fault` it is to be refused."""

    octets: bytes = field(repr=False)
    fault: MailError | None = None


@frozen
class Rset:
    pass


@frozen
class Noop:
    pass


@frozen
class Quit:
    pass


@frozen
class Vrfy:
    text: str


@frozen
class Expn:
    text: str


@frozen
class Help:
    """`topic` in upper case, "" for all."""

    topic: str


@frozen
class StartTls:
    pass


@frozen
class Auth:
    """`initial` None if there was none, b"" for "=" (RFC 4954 §4)."""

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@frozen
class AuthResponse:
    octets: bytes = field(repr=False)


Event = (
    Connected
    | Hello
    | Mail
    | Rcpt
    | Data
    | Content
    | Spoiled
    | EndOfData
    | Rset
    | Noop
    | Quit
    | Vrfy
    | Expn
    | Help
    | StartTls
    | Auth
    | AuthResponse
    | MailError
)


@frozen
class Offer:
    """What a connection is offered in its present state."""

    size_octets: int
    starttls: bool = False
    mechanisms: tuple[str, ...] = ()


@frozen
class Known:
    """A command as HELP tells it."""

    verb: str
    syntax: str
    rfc: str
    offered: Callable[[Offer], bool] = field(default=lambda offer: True)


COMMANDS = (
    Known("HELO", "HELO domain", "RFC 5321 §4.1.1.1"),
    Known("EHLO", "EHLO domain", "RFC 5321 §4.1.1.1"),
    Known(
        "MAIL",
        "MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME] [SMTPUTF8] [AUTH=x]",
        "RFC 5321 §4.1.1.2",
    ),
    Known("RCPT", "RCPT TO:<address>", "RFC 5321 §4.1.1.3"),
    Known("DATA", "DATA, ended by a line with a dot alone", "RFC 5321 §4.1.1.4"),
    Known("RSET", "RSET", "RFC 5321 §4.1.1.5"),
    Known("NOOP", "NOOP [anything]", "RFC 5321 §4.1.1.9"),
    Known("QUIT", "QUIT", "RFC 5321 §4.1.1.10"),
    Known("VRFY", "VRFY address", "RFC 5321 §4.1.1.6"),
    Known("EXPN", "EXPN list", "RFC 5321 §4.1.1.7"),
    Known("HELP", "HELP [command]", "RFC 5321 §4.1.1.8"),
    Known("STARTTLS", "STARTTLS", "RFC 3207 §4", lambda offer: offer.starttls),
    Known(
        "AUTH",
        "AUTH mechanism [initial-response]",
        "RFC 4954 §4",
        lambda offer: bool(offer.mechanisms),
    ),
)
