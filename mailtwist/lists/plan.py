"""What is to happen, decided: changes and mails that become true together."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from ..delivery.model import NO_WISHES, Wishes
from ..errors import MailError
from .model import EACH, Entry, Member, Pending


@frozen
class Join:
    """A new member; one that is there already stays as it is."""

    address: str
    name: str = ""
    mode: str = EACH
    at_s: float = 0.0


@frozen
class Leave:
    address: str


@frozen
class Alter:
    """The member of this number is as given now."""

    member: Member


@frozen
class Pend:
    """Wait for an answer; an older one of the same kind and address is void, unless it
    is a post."""

    pending: Pending


@frozen
class Unpend:
    """Wait no more.  If nobody waits any more, nothing of the plan happens: an answer
    counts once."""

    token: str


@frozen
class Seen:
    """A post with this Message-ID came.  If it came before, nothing of the plan
    happens."""

    message_id: str
    until_s: float


@frozen
class Accepted:
    """One more post of this author went out."""

    address: str


@frozen
class Archived:
    """A line in the index of the archive."""

    entry: Entry


@frozen
class Digested:
    """A post for the next digest."""

    octets: bytes = field(repr=False)
    at_s: float = 0.0


@frozen
class DigestSent:
    """The posts up to this number went out with a digest."""

    number: int


@frozen
class Bounced:
    """For the journal of bounces."""

    address: str
    kind: str
    status: str
    diagnostic: str
    at_s: float


Change = (
    Join
    | Leave
    | Alter
    | Pend
    | Unpend
    | Seen
    | Accepted
    | Archived
    | Digested
    | DigestSent
    | Bounced
)


@frozen
class To:
    """A recipient; `sender` replaces the mail's if not None, "" the null path.

    `fields` stand in front of its copy, which is a message of its own then."""

    address: str
    sender: str | None = None
    fields: str = ""


@frozen
class Mail:
    """A message to send; `number` its id in the queue, which no message had.

    `sender` "" is the null path; `signing` as `delivery.model.Envelope` has it.
    """

    number: str
    sender: str
    to: Sequence[To]
    octets: bytes = field(repr=False)
    wishes: Wishes = NO_WISHES
    signing: str = "sender"


@frozen
class Plan:
    """What one message, command or turn of the clock does to one list.

    `fault` is what the sender is told of instead; `told` is for the log.
    """

    changes: tuple[Change, ...] = ()
    mails: tuple[Mail, ...] = ()
    fault: MailError | None = None
    told: str = ""

    def __add__(self, other: Plan) -> Plan:
        return Plan(
            self.changes + other.changes,
            self.mails + other.mails,
            self.fault or other.fault,
            "; ".join(filter(None, (self.told, other.told))),
        )


NOTHING = Plan()
