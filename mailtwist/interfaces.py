"""Every extension point of the house.

Domain rooms speak to stores, checkers, directories and the delivery only through these.
Arguments and results are values (`mailbox.model`, `delivery.model`, `directory.model`),
so an implementation may live in another process.  Awaitable methods raise
`errors.MailError` for what a client may be told; anything else is a bug and is answered
as 4.3.0.

Cancelling a Deferred made from one of these coroutines abandons the wait, never the
durability: an action that was begun is finished or not started.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from typing import TYPE_CHECKING

from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, Interface

from .address import Address
from .delivery.model import Envelope, LocalRecipient, Recipient, Verdict
from .directory.model import Account
from .dns.model import Answer
from .mailbox.model import Limits, Path
from .policy import model as policy
from .policy.model import Visit
from .queue.model import (
    NOTHING_CROWDED,
    Crowded,
    Host,
    Job,
    Memory,
    Outcome,
    QueuedMessage,
    QueuedRecipient,
    Seen,
    Told,
)
from .sasl.model import ScramKeys

if TYPE_CHECKING:
    from .mime.slices import Buffer
    from .policy.content import Judgement

# -- who exists -------------------------------------------------------------------


class IDirectory(Interface):
    """A source of domains and accounts.

    Names are given normalized (`address.normal_domain`; local parts as they came).  An
    implementation compares local parts without case unless it says otherwise.  A source
    that cannot be asked raises AuthUnavailable or StorageFull, never "not found".
    """

    async def has_domain(domain: str) -> bool:
        """True if mail for `domain` is delivered here."""

    async def account(name: str) -> Account | None:
        """The account with this login name ("user@domain", or "user" where unique)."""

    async def account_for(address: Address) -> Account | None:
        """The account that mail for exactly this address goes to; no subaddresses."""

    async def first_account() -> Account | None:
        """The account that gets postmaster's mail if nobody else does."""


# -- who is it --------------------------------------------------------------------


class IScramCredentials(ICredentials):
    """A SCRAM exchange (RFC 5802) that waits for the account's keys.

    A checker that knows `username` and has keys for `mechanism` awaits `prove(keys)`;
    the conversation with the client goes on inside.
    """

    mechanism: str = Attribute('"SCRAM-SHA-256" or "SCRAM-SHA-1".')
    username: str = Attribute("The authentication identity the client claims.")

    async def prove(keys: ScramKeys) -> bool:
        """True if the client's proof fits `keys`."""


class IScramSource(Interface):
    """A checker that holds SCRAM keys; CheckerChain asks these in order."""

    async def scram_keys(
        username: str, mechanism: str
    ) -> tuple[bytes, ScramKeys] | None:
        """The avatar ID and keys, or None for an unknown user or one without keys."""


class IMailAccount(Interface):
    """The avatar of every mail service: one logged-in account."""

    account: Account = Attribute("Whose mail this is.")
    mailboxes: object = Attribute("IMailboxes of the account.")
    identifiers: frozenset[str] = Attribute(
        "What lists of rights know the login by: its name, and its groups as $GROUP."
    )

    async def may_send_as(address: Address) -> bool:
        """True if `address` may be the reverse-path or From of this login."""

    async def sent_copy(address: Address) -> LocalRecipient | None:
        """Where a copy of what this login sends from `address` is to go, which it may
        send as; None if nowhere.  Raises MailError."""


class ISetsLimits(Interface):
    """A mail account whose login may change limits (RFC 9208 §4.1.3)."""

    async def set_limits(path: Path, limits: Limits) -> None:
        """What a mailbox may hold with all below it, or for () the whole account; what
        is None is not limited here, and counts as if nobody had said anything.

        Raises NotPermitted where the limits are kept elsewhere."""


class ISendAs(Interface):
    """A place where it is written who may send from addresses of others."""

    async def senders(address: Address, owner: Account | None) -> Collection[str]:
        """Identifiers as in lists of rights: logins, $GROUP, anyone.  `owner` is the
        account that has exactly this address, if one does.  Raises MailError."""


# -- mail that comes in -----------------------------------------------------------


class IRouter(Interface):
    """Decides at RCPT where a recipient's mail goes."""

    async def resolve(
        address: Address,
        *,
        may_relay: bool,
        size_octets: int | None = None,
        sender: Address | None = None,
        behind: str = "",
        poster: Collection[str] = (),
    ) -> Recipient:
        """The recipient's destination; `sender` is the reverse-path, which is rewritten
        where it must be if something (`behind`, in a few words) sends the mail on.
        `poster` are the identifiers of a login that sends it, for the right to post.

        "postmaster" without a domain is a local address (RFC 5321 §4.5.1).  Raises
        NoSuchUser, OverQuota (usage plus `size_octets` over the limit), RelayDenied for
        a remote domain unless `may_relay`, NoRoute if it may and there is no way out.
        """

    async def owner(address: Address) -> Account | None:
        """The account that all mail for an address is for, behind aliases, wherever
        that account sends it on to; None for nobody's, and for several'.

        Raises a temporary MailError if that cannot be looked up now."""

    async def mailbox(
        address: Address, *, size_octets: int | None = None, login: str = ""
    ) -> LocalRecipient:
        """The mailbox here that an address names, whatever aliases, `.forward` and
        routes say; for targets that were expanded already.  `login` is the name of the
        account that sent it, "" if none did, for the right to post.

        Raises NoSuchUser, MailboxDisabled, OverQuota."""


class ITable(Interface):
    """Something that has a text for a key: a file, a database, a directory."""

    name: str = Attribute("Its name in the configuration.")
    whole_keys: bool = Attribute(
        "True if it wants only whole addresses, as regular expressions do."
    )

    async def find(key: str) -> str | None:
        """The value of exactly this key, lower case with A-labels; None if it is not
        there.  Raises LookupFailed, never "not there", if it cannot be asked."""

    async def keys() -> Collection[str] | None:
        """All of its keys; None if it cannot say.  Raises LookupFailed."""


class IListFiles(Interface):
    """The lists that users and aliases keep in files of their own."""

    async def forward(account: Account, detail: str) -> tuple[str, str] | None:
        """(path, list) of `.forward+detail` or `.forward` in the account's home.

        None if there is none, or if it may not be trusted: then its mail goes to the
        mailbox, and the log says why.  Raises LookupFailed for what may pass."""

    async def include(path: str) -> str:
        """The list in an `:include:` file.  Raises LookupFailed if it is missing or
        others may write it."""


class IMailingLists(Interface):
    """The mailing lists of this host."""

    async def serves(address: Address) -> bool:
        """True if mail to this address is for a list, whatever it is to do there.
        Raises LookupFailed or another MailError that may pass."""


class ICheck(Interface):
    """One check of policy, in the list of some phase."""

    def begin(visit: Visit) -> None:
        """A client connected: a look-up may start (`visit.start`)."""

    async def check(visit: Visit) -> policy.Verdict:
        """GO_ON or ALLOW; raises the MailError that the client is told."""


class IContentCheck(Interface):
    """One check of whole messages from strangers."""

    def look(visit: Visit) -> IContentLook | None:
        """A transaction began (MAIL was accepted): look-ups may start.  None if there
        is nothing to check of it."""


class IContentLook(Interface):
    """One check at one message.

    `header` is called once, then `body` for its octets as they come, then `judge`; or
    `end` at any time."""

    def header(octets: bytes) -> None:
        """The whole header, with the blank line behind it if it has one."""

    def body(octets: bytes) -> None:
        """Octets of the body; the check keeps none of them."""

    async def judge(content: Buffer, envelope: Envelope) -> Judgement:
        """What it says, when all of `content` (header and body) is there.  Keeps its
        own time limits; raises a temporary MailError if mail has to wait for it."""

    def end() -> None:
        """The message is done with, or was given up: nobody waits any more."""


class IDelivery(Interface):
    """Takes accepted messages."""

    def begin(envelope: Envelope) -> IMessageSink:
        """A sink for the octets of one message to all recipients of `envelope`."""


class IMessageSink(Interface):
    """The octets of one incoming message, in bounded memory.

    After `commit` or `abort` the sink is spent.  A lost connection calls `abort`.
    """

    octets: int = Attribute("Message octets taken so far.")

    def write(octets: bytes) -> Awaitable[None] | None:
        """Take octets (CRLF line ends, dot-unstuffed).

        None: send more.  An awaitable: wait for it before the next write (storage is
        slower than the network).  A storage fault is kept for `commit`.
        """

    async def commit() -> list[Verdict]:
        """One verdict per recipient, in the envelope's order; None is durable."""

    def abort() -> None:
        """Forget the message; nothing of it stays visible."""


# -- mail that goes out -----------------------------------------------------------


class IContent(Interface):
    """The octets of a queued message, CRLF line ends."""

    octets: int = Attribute("How many.")

    async def read(start: int, count: int) -> bytes:
        """Octets [start, start + count), fewer at the end.  Raises StorageFull or
        MailError if the spool cannot be read."""


class ITransport(Interface):
    """Something that carries mail out of the queue: SMTP, LMTP, a pipe, a mailbox."""

    def destination(job: Job) -> str:
        """The key by which attempts are limited: a domain, a host, a command."""

    async def attempt(job: Job, content: IContent) -> list[Outcome]:
        """One outcome per recipient of `job`, in its order.

        Never raises but for cancellation; after that nothing is known of recipients
        whose transaction was open.  The transport keeps its own time limits."""


class IHosts(Interface):
    """Who takes the mail of a domain: MX, addresses and the TLS they must give."""

    async def hosts(next_hop: str) -> Sequence[Host]:
        """The hosts to try in order, never none, for a domain (as `Address.domain`
        has it), or for "[host]:port" without a look at MX.

        Hosts that would be a loop are left out already (RFC 5321 §5.1).  Raises
        NoSuchDomain (also for a null MX, RFC 7505, as 5.1.10), NoRoute, MailLoop or a
        temporary fault such as DnsUnavailable."""

    def tls_result(next_hop: str, host: Host, address: str, failure: str) -> None:
        """Told after each attempt at TLS, for reports (RFC 8460): `failure` is "" or a
        result type of its §4.3, such as "starttls-not-supported"."""


class ISpoolSink(IMessageSink):
    """A message on its way into the queue; commit gives one answer for all."""

    def address(recipients: tuple[Recipient, ...]) -> None:
        """Let it go to these, before `commit`."""


class ISpool(IDelivery):
    """The durable queue: the octets of a message once, its recipients as rows.

    What a method answered is on disk.  Storage that fails raises StorageFull."""

    def begin(envelope: Envelope) -> ISpoolSink:
        """As IDelivery.begin."""

    async def due(
        now_s: float,
        count: int,
        loaded: Collection[str] = (),
        crowded: Crowded = NOTHING_CROWDED,
        since_s: float = 0.0,
    ) -> list[tuple[QueuedMessage, list[QueuedRecipient]]]:
        """Up to `count` messages that are not held, with their recipients due between
        `since_s` and `now_s`, the earliest first; none of `loaded`, none `crowded`."""

    async def next_due(now_s: float) -> float | None:
        """When the next recipient is due after `now_s`; None if nothing waits."""

    async def recipients(queue_id: str) -> list[QueuedRecipient]:
        """The recipients of a message that are not done."""

    async def message(queue_id: str) -> QueuedMessage | None:
        """The message, None if it is not (or no more) there."""

    def content(message: QueuedMessage) -> IContent:
        """Its octets."""

    async def settle(
        queue_id: str,
        done: Sequence[int],
        later: Sequence[QueuedRecipient],
        reports: Sequence[tuple[Envelope, bytes]] = (),
    ) -> float | None:
        """In one transaction: recipients `done` are taken off, `later` replaced by
        number, and reports queued as messages of their own.  A message without
        recipients is removed; what is gone meanwhile is left alone.

        The second at which what is left of the message is due; None if nothing is, or
        it is held."""

    async def commit_all(
        sinks: Sequence[ISpoolSink], memories: Sequence[Memory] = ()
    ) -> None:
        """Make the messages of these sinks durable, and what is to be remembered, in
        one transaction.  The sinks are spent.  Raises MailError: then nothing of it is
        there."""

    async def remembered(account: str, keys: Sequence[bytes]) -> list[bytes]:
        """Those of `keys` that the account's scripts have seen, and not forgotten."""

    async def hurry(now_s: float, domain: str = "") -> None:
        """What waits for addresses in `domain` ("" for all) is due at `now_s`."""

    async def those(
        queue_ids: Sequence[str],
    ) -> list[tuple[QueuedMessage, list[QueuedRecipient]]]:
        """The messages of these ids that are there, with their recipients that are not
        done."""

    async def seen() -> Seen:
        """What other processes did with the queue since the last call, or the start."""


class IReporter(Interface):
    """Tells senders what became of their mail (RFC 3461 §5 and §6, RFC 3464).

    `kind` is "failed", "delayed" or "succeeded"."""

    def wanted(message: QueuedMessage, told: Told, kind: str) -> bool:
        """True if somebody is to be told this of that recipient.

        A success counts if it was asked for and its action is not "passed"; nothing is
        wanted for a null reverse-path but failures, which postmaster is told of."""

    async def reports(
        message: QueuedMessage, content: IContent, told: Sequence[Told], kind: str
    ) -> list[tuple[Envelope, bytes]]:
        """The reports about these recipients, all wanted: one for each reverse-path.

        An envelope goes to the spool with the message's octets, trace fields included.
        Raises a temporary MailError if the way back cannot be looked up now; a report
        that nobody could get is logged and left out."""


class IResolver(Interface):
    """DNS look-ups, cached.  Names as A-labels.

    Raises DnsUnavailable (4.4.3) if no answer came, NoSuchDomain (5.1.2) for
    NXDOMAIN; an empty list is a name without such records."""

    async def mx(domain: str) -> Answer:
        """MX records as (preference, host) pairs, lower case without final dot."""

    async def addresses(host: str, *, ipv4: bool = True, ipv6: bool = True) -> Answer:
        """AAAA then A records as str, or only those of one kind."""

    async def txt(name: str) -> Answer:
        """TXT records, the strings of each joined, as bytes."""

    async def tlsa(port: int, host: str) -> Answer:
        """TLSA records as (usage, selector, matching type, data) of _port._tcp.host."""

    async def cname(name: str) -> Answer:
        """What this name is an alias of, if any; nothing of where that leads."""

    async def ptr(address: str) -> Answer:
        """Names of an IP address."""
