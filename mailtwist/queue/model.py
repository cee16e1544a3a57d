"""The values of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from attrs import frozen

from ..address import Address
from ..delivery.model import NO_WISHES, NOTHING_SAID, Notify, Route, Wishes
from ..errors import MailError


@frozen
class QueuedMessage:
    """A message in the spool.

    `queue_id` is the envelope's message id, unique over restarts; `octets` the size of
    the content, which starts with this server's own trace fields; times are seconds of
    the epoch.  `held` by an administrator: nothing is attempted until it is released.
    `filter` is the way that its recipients take whatever routes say, None for none.
    """

    queue_id: str
    reverse_path: Address | None
    octets: int
    arrived_s: float
    expires_s: float
    wishes: Wishes = NO_WISHES
    login: str = ""
    held: bool = False
    filter: Route | None = None


@frozen
class QueuedRecipient:
    """One recipient that is not done.

    `number` names it in the message; `address` is where it goes, `original` what RCPT
    said; `sender` replaces the message's reverse-path ("" the null path) if not None.
    `attempts` were made; the next is due at `due_s`; `status` (RFC 3463), `reply` and
    `host` tell of the last one.  `delay_told` if its delay notice was sent; `of_list`
    as `Target` has it.
    """

    number: int
    address: Address
    route: Route
    original: Address
    notify: Notify = NOTHING_SAID
    sender: str | None = None
    run_as: str = ""
    attempts: int = 0
    due_s: float = 0.0
    last_s: float = 0.0
    status: str = ""
    reply: str = ""
    host: str = ""
    delay_told: bool = False
    of_list: bool = False


class Seen(Enum):
    """What other processes did with the queue."""

    NOTHING, MAIL, ORDERS = 0, 1, 2  # mail may have come; somebody wants it otherwise


@frozen
class Outcome:
    """What became of one recipient in one attempt.

    `fault` None is success; a temporary one is tried again, a permanent one is
    reported.  `host` is the remote host's name ("" if none was reached); `reply` its
    own words, "550 5.1.1 No such user" ("" if the fault is ours); `action` of a
    success is "delivered", "relayed" (the next hop cannot report: RFC 3461 §4.2),
    "passed" (the next hop took over all duties of reporting) or "expanded".
    """

    fault: MailError | None = None
    host: str = ""
    reply: str = ""
    action: str = "passed"


@frozen
class Crowded:
    """What has its share of the memory and is left in the spool: what comes from
    `sources`, goes to `places`, or comes from one and goes to one of `pairs` (names as
    `queue.jobs` makes them)."""

    sources: Sequence[str] = ()
    places: Sequence[str] = ()
    pairs: Sequence[tuple[str, str]] = ()

    def __bool__(self) -> bool:
        return bool(self.sources or self.places or self.pairs)

    def covers(self, other: Crowded) -> bool:
        """True if all that `other` leaves in the spool is left by this one too."""
        return (
            set(other.sources).issubset(self.sources)
            and set(other.places).issubset(self.places)
            and {p for p in other.pairs if p[1] not in self.places}.issubset(self.pairs)
        )


NOTHING_CROWDED = Crowded()


@frozen
class Memory:
    """That something was seen by the scripts of an account, until `until_s`.

    `first` if it must not have been seen before: then all that goes with it is refused
    as RememberedMeanwhile."""

    account: str
    key: bytes
    until_s: float
    first: bool = False


Told = tuple[QueuedRecipient, Outcome]  # whom a report tells of, and what


@frozen
class Job:
    """One transaction to attempt: one message, one sender, one route."""

    message: QueuedMessage
    recipients: tuple[QueuedRecipient, ...]
    reverse_path: Address | None
    route: Route


@frozen
class TlsRule:
    """The TLS one host must give, decided by whoever looked it up.

    `level` is one of `config.relaying.TLS_LEVELS`: "dane" only with `tlsa` records
    (usage, selector, matching type, data), of which one must match (RFC 7672 §3);
    "verify" wants a trusted chain and one of `names` in the certificate ("host.test",
    or ".test" for anything below; the host's own name if empty).  `policy` says who
    asked, in RFC 8460 §4.4's words: "sts", "tlsa" or "no-policy-found".  `testing`:
    whether the host would pass "verify" with `names` is told in the TLS result, but
    nothing is refused for it (RFC 8461 §5).
    """

    level: str = "may"
    names: tuple[str, ...] = ()
    tlsa: tuple[tuple[int, int, int, bytes], ...] = ()
    policy: str = "no-policy-found"
    testing: bool = False


@frozen
class Host:
    """A server to try: its name (A-labels), port, IP addresses in order, and rule.

    `authentic` if its name came from a signed MX record, a configuration, or the
    recipient's own domain under DNSSEC, as RFC 8689 §4.2.1 asks.
    """

    name: str
    port: int
    addresses: tuple[str, ...]
    rule: TlsRule = TlsRule()
    authentic: bool = False
