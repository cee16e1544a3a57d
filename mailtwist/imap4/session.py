"""One IMAP session: who is logged in, what is selected, what goes out.

Commands (`cmd/`) get it as their first argument, `put` untagged octets into it and give
an Answer back.  Nothing in it is large, so that thousands of idle sessions cost little.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..auth.login import Authenticator, Login, Peer
from ..config.reading import Imap4
from ..errors import BadSequence, MailboxFault, MailError, NoSuchMailbox
from ..flags import NONE, SYSTEM, Flags
from ..foreign import NOTHING, missing
from ..interfaces import ISetsLimits
from ..mailbox.events import MailEvents
from ..mailbox.interfaces import (
    IIndexedMailboxes,
    IMailbox,
    IMailboxes,
    IRights,
    IScripts,
)
from ..mailbox.model import Changes, Path
from ..mailbox.rights import ALL, Rights, changeable
from ..shielded import shielded
from .appending import Appending
from .capability import Situation, capabilities
from .commands import CommandRow, State
from .context import Context
from .engine import IMAP4Engine
from .notice import Notice
from .response import flag_list
from .selected import Selected
from .types_events import NotifyEvent
from .url_access import UrlAccess

log = Logger()

Result = TypeVar("Result")

URLS = frozenset({"URLAUTH", "URLAUTH=BINARY"})
RIGHTS = frozenset({"ACL", "RIGHTS", "LIST-MYRIGHTS"})  # of stores that keep rights
FUZZY = frozenset({"SEARCH=FUZZY"})  # of stores with a text index
SCRIPTED = frozenset({"IMAPSIEVE"})  # of accounts with a place for scripts
LIMITING = frozenset({"QUOTASET"})  # of logins that may change limits
BUFFER_OCTETS = 64 * 1024  # sent at a time


class MailboxDeleted(MailboxFault):
    """The selected mailbox was deleted by another session; the connection ends."""

    public = "The selected mailbox was deleted"


class StreamBroken(MailError):
    """A literal that was begun cannot be finished; the connection ends."""


class Connection(Protocol):
    """What a session needs of the socket and the clock."""

    def write(self, octets: bytes) -> None: ...
    def now(self) -> float:
        """Seconds of a clock that never goes back."""

    async def drained(self) -> None:
        """Wait while the client is slower than we are."""

    async def pause(self) -> None:
        """Let others work if this session has had its slice of time."""

    async def arrived(self) -> None:
        """Wait until the client sent more octets."""

    def changed(self, modseq: int) -> None:
        """The selected mailbox says that something happened."""

    def others(self) -> Iterable[Session]:
        """All sessions of this server, this one too."""


@define(eq=False)
class Session:
    """State of one connection; commands are answered one after the other.

    `condstore`: FETCH responses carry MODSEQ (RFC 7162 §3.1); `qresync`: VANISHED is
    told for EXPUNGE (§3.2.3).  `stale`: the mailbox
    said that something happened which was not looked at.  `contexts`: searches of the
    selected mailbox whose changes are told (RFC 5267 §4.3).  `tag`: of the command in
    hand.
    """

    config: Imap4
    hostname: str
    engine: IMAP4Engine
    peer: Peer
    authenticator: Authenticator
    starttls: bool  # it can be had on this listener
    connection: Connection
    login: Login | None = None
    mailbox: IMailbox | None = None
    selected: Selected | None = None
    held_rights: Rights = ALL  # in the mailbox, when it was selected
    condstore: bool = False
    qresync: bool = False
    compressed: bool = False
    stale: bool = False
    within: bool = False  # a response that is begun: no other may come between
    notice: Notice | None = None  # of NOTIFY, once it was used
    contexts: dict[bytes, Context] = field(factory=dict)  # by tag
    tag: bytes = b""
    appending: Appending | None = None  # the APPEND in hand
    appended_to: Path | None = None  # the last APPEND found it, so the next need not
    supplied: Path | None = None  # a name in the command, if it was normalized
    decoded: Any = None  # the part that BINARY read last (cmd.fetch_binary)
    urls: UrlAccess | None = None  # authorizes URLs (RFC 4467)
    events: MailEvents | None = None  # hears of what is done to messages
    sieve_url: str = ""  # of ManageSieve, for scripts that act on events (RFC 6785)
    _following: list[Deferred[None]] = field(factory=list)
    _remarks: list[bytes] = field(factory=list)
    _looked_at: float = 0.0
    _keywords: Flags = NONE  # told in FLAGS
    _unwatch: Callable[[], None] | None = None
    _out: list[bytes] = field(factory=list)
    _held: int = 0

    # -- output -----------------------------------------------------------------------

    def put(self, octets: bytes) -> None:
        """Octets for the client, sent with the next flush."""
        self._out.append(octets)
        self._held += len(octets)

    @property
    def held(self) -> int:
        """Octets put and not yet flushed."""
        return self._held

    def flush(self) -> None:
        if self._out:
            out, self._out, self._held = self._out, [], 0
            self.connection.write(out[0] if len(out) == 1 else b"".join(out))

    async def flow(self) -> None:
        """Call between parts of a long answer: sends full buffers, waits for a slow
        client, lets others work."""
        if self._held >= BUFFER_OCTETS:
            self.flush()
            await self.connection.drained()
        await self.connection.pause()

    # -- who --------------------------------------------------------------------------

    @property
    def mailboxes(self) -> IMailboxes:
        """Of the login; the command table lets nobody else get here."""
        if self.login is None:
            raise BadSequence("Log in first")
        return cast(IMailboxes, self.login.account.mailboxes)

    def situation(self) -> Situation:
        tls = self.peer.tls
        return Situation(
            self.engine.state,
            tls,
            self.starttls,
            self.authenticator.plaintext(tls=tls),
            self.authenticator.mechanisms(self.peer),
            append_limit=self.config.message_octets,
            message_limit=self.config.messages_per_command,
            compress=self.config.compress,
            literal_minus=self.config.literal_minus,
            sieve_url=self.sieve_url,
            missing=self._missing(),
        )

    def _missing(self) -> frozenset[str]:
        """Capabilities that cannot be given to this login."""
        if self.login is None:
            return NOTHING
        found = missing(self.login.account)
        if not IIndexedMailboxes.providedBy(self.login.account.mailboxes):
            found |= FUZZY
        if not IRights.providedBy(self.login.account.mailboxes):
            found |= RIGHTS
        if not IScripts.providedBy(self.login.account.mailboxes):
            found |= SCRIPTED
        if not ISetsLimits.providedBy(self.login.account):
            found |= LIMITING
        return found if self.urls is not None else found | URLS

    def offers(self, name: str) -> bool:
        """True if the account of this login can give the capability."""
        return self.login is not None and name not in self._missing()

    def capabilities(self) -> bytes:
        return capabilities(self.situation())

    # -- the selected mailbox ---------------------------------------------------------

    @property
    def open(self) -> tuple[IMailbox, Selected]:
        """The selected mailbox and this session's view of it."""
        if self.mailbox is None or self.selected is None:
            if self.engine.state is State.SELECTED:
                raise BadSequence("The mailbox that was selected is deleted")
            raise BadSequence("Select a mailbox first")
        return self.mailbox, self.selected

    def enter(self, mailbox: IMailbox) -> None:
        """Hold `mailbox`; set `selected` when its view is known."""
        self.mailbox = mailbox
        self.stale, self._looked_at = False, self.connection.now()
        self._unwatch = mailbox.watch(self._changed)

    def _changed(self, modseq: int) -> None:
        self.stale = True
        self.connection.changed(modseq)

    async def leave(self) -> None:
        """No mailbox is selected any more."""
        mailbox, unwatch = self.mailbox, self._unwatch
        self.mailbox = self.selected = self._unwatch = self.decoded = None
        self._keywords = NONE
        self.contexts.clear()
        if unwatch is not None:
            unwatch()
        if mailbox is not None:
            await mailbox.close()

    def enable_condstore(self) -> None:
        """A CONDSTORE enabling command came; the first one with a mailbox selected is
        told HIGHESTMODSEQ (RFC 7162 §3.1)."""
        if self.condstore:
            return
        self.condstore = True
        if self.selected is not None:
            code = b"HIGHESTMODSEQ %d" % self.selected.highest_modseq
            self.put(b"* OK [%b] CONDSTORE is on\r\n" % code)

    def made(self, uid_validity: int, uids: Iterable[int]) -> None:
        """This session put messages into a mailbox: it knows of them."""
        selected, mailbox = self.selected, self.mailbox
        if selected is None or mailbox is None:
            return
        if self.notice is None and not self.contexts:
            return
        if uid_validity == mailbox.uid_validity:
            selected.own = selected.own.union(uids)

    # -- what follows -----------------------------------------------------------------

    async def followed(
        self, work: Awaitable[Result], then: Callable[[Result], Awaitable[None]]
    ) -> Result:
        """What `work` gives.  `then` of it goes on beside the command, which ends when
        that did; neither stops if the client is gone."""

        async def both() -> Result:
            result = await work

            async def after() -> None:
                await then(result)

            following = Deferred.fromCoroutine(after())
            following.addErrback(lambda fault: log.failure("what follows", fault))
            self._following.append(following)
            return result

        return await shielded(Deferred.fromCoroutine(both()))

    async def caught_up(self) -> None:
        """All that follows what the command did is done."""
        following, self._following = self._following, []
        for one in following:
            await shielded(one)

    # -- changes ----------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """True if the mailbox should be looked at: told so, or not looked at lately."""
        late = self.connection.now() - self._looked_at >= self.config.poll_s
        return self.selected is not None and (self.stale or late)

    def remark(self, line: bytes) -> None:
        """An untagged line of another session's doing, told when it may be."""
        self._remarks.append(line)
        self._changed(0)

    async def look(self) -> None:
        """Learn what happened in the selected mailbox; raises MailboxDeleted."""
        mailbox, selected = self.open
        self.stale, self._looked_at = False, self.connection.now()
        try:
            changes: Changes = await mailbox.changes(selected.highest_modseq)
            recent_from = None
            last = selected.uids[-1] if selected.uids else 0
            if changes.rows.uids and changes.rows.uids[-1] > last:
                recent_from = await mailbox.take_recent()
        except NoSuchMailbox as fault:
            raise MailboxDeleted() from fault
        selected.learn(changes, recent_from=None if self.engine.rev2 else recent_from)
        self.tell_keywords(changes.rows.flags)

    async def look_if_due(self) -> None:
        """As look; a store that cannot tell now is asked again `poll_s` later."""
        if not self.due:
            return
        try:
            await self.look()
        except MailboxDeleted:
            raise
        except MailError as fault:
            log.warn("imap4 {s} cannot look: {f}", s=self.peer.session, f=fault.public)

    def tell(self, row: CommandRow | None) -> None:
        """Put what was learned and may be told behind this command (None: behind none,
        in IDLE or as NOTIFY lets it)."""
        remarks, self._remarks = self._remarks, []
        for remark in remarks:
            self.put(remark)
        if self.selected is None:
            return
        expunge, new, flags = self._may_tell(row)
        for line in self.selected.flush(
            expunge=expunge,
            new=new,
            flags=flags,
            uid=self.engine.rev2
            or self.notice is not None  # RFC 5465 §5.1
            or (row is not None and row.uid),
            modseq=self.condstore,
            vanished=self.qresync,
        ):
            self.put(line)

    def _may_tell(self, row: CommandRow | None) -> tuple[bool, bool, bool]:
        """Whether EXPUNGE, EXISTS and FETCH may be told now."""
        expunge = row is None or not row.keeps_numbers
        if self.notice is None:
            return expunge, True, True
        wanted = self.notice.selected
        if row is None and self.notice.delayed and not self.engine.idling:
            expunge = False  # message numbers stay right between commands (§6.1.2)
        own = row is not None and row.expunges
        return (
            expunge and (own or NotifyEvent.MESSAGE_EXPUNGE in wanted),
            NotifyEvent.MESSAGE_NEW in wanted,
            NotifyEvent.FLAG_CHANGE in wanted,
        )

    @property
    def news(self) -> bool:
        """True if something may be told though no command is answered."""
        if self.notice is None:
            return self.engine.idling and self.due
        if self.notice.pending:
            return True
        if self.selected is None or not self.notice.selected:
            return False
        expunge, new, flags = self._may_tell(None)
        waits = self.selected.waits(expunge=expunge, new=new, flags=flags)
        return waits or self.due

    @property
    def pushes(self) -> bool:
        """True if the selected mailbox is to be looked at though no command is
        answered."""
        if self.selected is None:
            return False
        if self.notice is None:
            return self.engine.idling
        return bool(self.notice.selected)

    def own_names(self, *paths: Path) -> None:
        """The session is about to change these names: it needs no telling (RFC 5465
        §5)."""
        if self.notice is not None:
            self.notice.own.update(paths)

    def end_notice(self) -> None:
        """NOTIFY is over."""
        notice, self.notice = self.notice, None
        if notice is not None:
            notice.end()

    def tell_keywords(self, found: Iterable[Flags], *, first: bool = False) -> None:
        """FLAGS (§7.2.6) and PERMANENTFLAGS, if `found` holds a keyword not told yet.

        `first`: they are told anyway, as SELECT asks.
        """
        keywords = self._keywords.union(*set(found)).difference(SYSTEM)
        if self.selected is None or (not first and keywords == self._keywords):
            return
        self._keywords = keywords or NONE
        told = flag_list(keywords.union(SYSTEM))
        self.put(b"* FLAGS %b\r\n" % told)
        kept = b"()" if self.selected.read_only else self._permanent(keywords)
        self.put(b"* OK [PERMANENTFLAGS %b] Flags that are kept\r\n" % kept)

    def _permanent(self, keywords: Flags) -> bytes:
        """What this login may change (RFC 4314 §5.1.1), and \\* for new keywords."""
        told = flag_list(changeable(keywords.union(SYSTEM), self.held_rights))
        return told[:-1] + b" \\*)" if "w" in self.held_rights else told

    # -- the end ----------------------------------------------------------------------

    async def close(self) -> None:
        """The connection is gone: nothing of the session stays behind."""
        self._out, self._held = [], 0
        appending, self.appending = self.appending, None
        try:
            if appending is not None:
                appending.abort()
        finally:
            await self.forget_login()

    async def forget_login(self) -> None:
        """Nobody is logged in, and nothing is left of what the login switched on."""
        login, self.login = self.login, None
        self.condstore = self.qresync = self.compressed = False
        self.appended_to = self.supplied = None
        self.end_notice()
        try:
            await self.leave()
        finally:
            if login is not None:
                login.logout()
