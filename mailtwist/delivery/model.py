"""The values of one mail transaction."""

from __future__ import annotations

from attrs import frozen

from ..address import Address
from ..directory.model import Account
from ..errors import MailError
from ..flags import NONE, Flags
from ..mailbox.model import INBOX, Path

Verdict = MailError | None


@frozen
class Notify:
    """What RCPT asked about reports (RFC 3461 §4.1, §4.2).

    `when` holds words of NEVER, SUCCESS, FAILURE, DELAY; None if nothing was said,
    which means failures, and delays as the server likes.  `orcpt` is
    "addr-type;address" with the xtext decoded, "" if not given.
    """

    when: frozenset[str] | None = None
    orcpt: str = ""


NOTHING_SAID = Notify()


@frozen
class LocalRecipient:
    """A recipient whose mailbox is here.

    `address` is the forward-path as the client said it (goes into Delivered-To);
    `detail` the subaddress behind the separator ("" if none); `path` the mailbox, and
    `flags` those of the message there.  `sorted` if `path` is where its scripts put it.
    `as_is` for a message that was here before: nothing is put in front of it.
    """

    address: Address
    account: Account
    detail: str = ""
    path: Path = INBOX
    notify: Notify = NOTHING_SAID
    flags: Flags = NONE
    sorted: bool = False
    as_is: bool = False


@frozen
class Route:
    """A way out of the queue: what carries the mail, and where to.

    `transport` and its `next_hop`:

    - "smtp": "" (the MX of the address's domain), a domain (its MX), "[host]:port"
      without MX; "smarthost": "" (the configured hosts in order);
    - "lmtp": "[host]:port" or "unix:/path";
    - "mailbox": "" (an account here, by the target's address), or where its scripts put
      the message (`delivery.sorted`);
    - "pipe": the command; "file": the absolute path of an mbox file, or of a Maildir
      with "/" at its end;
    - "list": "" (a mailing list, by the target's address);
    - "error": "5.1.2 text", the target fails with that; "discard": "";
    - "done": nothing is left to do but to report "delivered" or "expanded".
    """

    transport: str
    next_hop: str = ""


TO_MX = Route("smtp")


@frozen
class Target:
    """One final recipient of an expanded address, and its way there.

    `sender` is the reverse-path for this target if it differs from the envelope's:
    an owner- address, a rewritten sender (SRS), "" for the null path, None for no
    change.  `run_as` is the account whose file asked for a command or a file, "" for
    the administrator's.  `of_list` for a member of a list with an owner: reports that
    the sender asked for end at the list (RFC 3461 §5.2.7.1).
    """

    address: Address
    route: Route = TO_MX
    sender: str | None = None
    run_as: str = ""
    of_list: bool = False


@frozen
class RemoteRecipient:
    """A recipient that is work for the queue: elsewhere, or an expanded alias.

    Without `targets` the address itself goes to the MX of its domain.
    """

    address: Address
    targets: tuple[Target, ...] = ()
    notify: Notify = NOTHING_SAID


Recipient = LocalRecipient | RemoteRecipient


@frozen
class DeliverBy:
    """BY= of MAIL (RFC 2852): seconds of the epoch, mode "R" or "N", and trace."""

    deadline_s: float
    mode: str
    trace: bool = False


@frozen
class Wishes:
    """What MAIL asked for beside SIZE: to be honoured at every further hop.

    `body` "7BIT", "8BITMIME" (RFC 6152) or "BINARYMIME" (RFC 3030); `ret` "FULL",
    "HDRS" or "" (RFC 3461 §4.3); `envid` with the xtext decoded, "" if not given;
    `hold_until_s` seconds of the epoch, 0 for no hold (RFC 4865); `priority` -9 to 9
    (RFC 6710); `auth` the AUTH parameter, "" for <>, None if not said (RFC 4954 §5).
    """

    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    require_tls: bool = False  # RFC 8689
    deliver_by: DeliverBy | None = None
    hold_until_s: float = 0.0
    priority: int = 0
    auth: str | None = None


NO_WISHES = Wishes()


@frozen
class Envelope:
    """Everything about a message but its octets.

    `message_id` names it in logs and in the 250; `trace` is the Received field with its
    final CRLF, put in front of every copy.  `reverse_path` None is the null path <>.
    `one_reply` if the client hears one answer for all recipients, so that faults of
    some are for us to retry and report; LMTP and PRDR tell each its own.  `held` waits
    in the queue for an administrator; `filter` is the way that all recipients take,
    unexpanded, in place of their own.  `signing` is "author" for what was written here
    (by a login, a trusted host, a program or this server): it is signed for the domain
    in From, or that of the reverse-path; "sender" for what is sent on in our name, as
    by a mailing list: for the reverse-path alone; "" for what is others'.
    """

    message_id: str
    session_id: str
    reverse_path: Address | None
    recipients: tuple[Recipient, ...]
    trace: bytes = b""
    login: str | None = None
    size_octets: int | None = None  # what SIZE= announced
    wishes: Wishes = NO_WISHES
    one_reply: bool = True
    held: bool = False
    filter: Route | None = None
    signing: str = ""

    @property
    def smtputf8(self) -> bool:
        return self.wishes.smtputf8
