"""What an SMTP client asks, as values, and what it is offered.

Nothing here shows a SASL response in a repr.
"""

from __future__ import annotations

from attrs import field, frozen

from ..address import Address
from ..delivery.model import NO_WISHES, NOTHING_SAID, Notify, Wishes
from ..errors import MailError


@frozen
class Connected:
    """The connection is there; the reply is the greeting."""


@frozen
class Hello:
    """EHLO or LHLO, HELO if not `extended`; `domain` as the client said it."""

    domain: str
    extended: bool


@frozen
class By:
    """BY= of MAIL (RFC 2852): `by_s` from now, negative if it has passed."""

    by_s: int
    mode: str
    trace: bool = False


@frozen
class Mail:
    """MAIL; `reverse_path` None is the null path <>.

    `size_octets` None if not said (RFC 1870).  `wishes` holds what needs no clock;
    `by`, `hold_for_s` and `hold_until_s` (seconds of the epoch, RFC 4865) are for the
    session to add.  `prdr` asks for a reply to each recipient at the end of data.
    """

    reverse_path: Address | None
    size_octets: int | None = None
    wishes: Wishes = NO_WISHES
    by: By | None = None
    hold_for_s: int | None = None
    hold_until_s: float | None = None
    prdr: bool = False


@frozen
class Rcpt:
    forward_path: Address
    notify: Notify = NOTHING_SAID


@frozen
class Data:
    pass


@frozen
class Bdat:
    """BDAT (RFC 3030 §2): a message begins, or goes on.  Answered by `go_on`; Content
    and then EndOfChunk, or EndOfData for the last chunk, follow."""


@frozen
class Burl:
    """BURL (RFC 4468 §3.2): the next chunk is what `url` names.  Answered by `go_on`
    after `end_url`; EndOfChunk or EndOfData follows.  `first`: the message begins."""

    url: bytes = field(repr=False)
    first: bool = False


@frozen
class EndOfChunk:
    """All `octets` of a chunk that is not the last; with `fault` it is refused."""

    octets: int
    fault: MailError | None = None


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


@frozen
class Etrn:
    """ETRN (RFC 1985): mail for `domain` is asked for."""

    domain: str


@frozen
class Attributes:
    """XCLIENT or XFORWARD: upper-case names and their values, None where the proxy
    says that there is none to tell."""

    given: tuple[tuple[str, str | None], ...]


@frozen
class Xclient(Attributes):
    """What the proxy's client is: counts as if it had connected by itself."""


@frozen
class Xforward(Attributes):
    """What the proxy's client is: for logs alone."""


Event = (
    Connected
    | Hello
    | Mail
    | Rcpt
    | Data
    | Bdat
    | Burl
    | EndOfChunk
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
    | Etrn
    | Xclient
    | Xforward
    | MailError
)


@frozen
class Offer:
    """What a connection is offered in its present state.

    `withheld` are EHLO keywords that are not offered whatever else holds.  `tls` if the
    connection is under TLS.  `deliver_by_s` is the least time of DELIVERBY (0: not
    told); `hold` the most of FUTURERELEASE, in seconds and as a date-time, "" if it is
    not offered; `limits` the words of LIMITS.
    """

    size_octets: int
    starttls: bool = False
    mechanisms: tuple[str, ...] = ()
    tls: bool = False
    lmtp: bool = False
    withheld: frozenset[str] = frozenset()
    deliver_by_s: int = 0
    hold: str = ""
    limits: str = ""
    etrn: bool = False
    proxy: bool = False  # XCLIENT and XFORWARD
    burl: str | None = None  # the words behind BURL; None if it is not offered
