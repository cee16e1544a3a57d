"""Scripts for what IMAP clients do to messages (RFC 6785).

They run after the command did its work, once for each message, and for the owner of the
mailbox, whoever the client is.  All that a script wants for one message is one commit;
then the message gets its flags.  What goes wrong keeps the message as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..delivery.model import Envelope, LocalRecipient
from ..delivery.router_walk import own_address
from ..directory.model import Account
from ..errors import MailError, NoSuchScript, RememberedMeanwhile
from ..flags import DELETED, RECENT, Flags
from ..imap4.names import Matcher, join
from ..mailbox.across import read_into
from ..mailbox.events import SCRIPT, Cause, Event, IMailListener
from ..mailbox.interfaces import IMailbox, IRights, IScripts, ISharedMailboxes
from ..mailbox.metadata import ACCOUNT
from ..mailbox.model import FlagAction, FlagChange, MailboxInfo, MessageRows, Path
from ..mime.slices import Buffer
from ..policy.content import IKept
from .circumstances import Circumstances, after_event
from .commit import drafted, queue
from .delivery import SieveDelivery
from .event_plan import EventPlan, EventPlanner
from .faults import Fault, ScriptError
from .message import Message
from .plan import Filing
from .programs import ScriptFile
from .run import Script

log = Logger("mailtwist")

CHUNK = 500  # messages whose rows are read at a time


@frozen
class Rule:
    """Scripts of the server, `before` and `after` the one of a mailbox, as option
    `imap_event` says."""

    mailbox: str
    source: str
    causes: frozenset[Cause]
    before: tuple[ScriptFile, ...] = ()
    after: tuple[ScriptFile, ...] = ()


@frozen
class Home:
    """Where a mailbox is kept: whose it is, all that account has, its name there."""

    account: Account
    mailboxes: IRights
    path: Path


@frozen
class Due:
    """Scripts that are to run: `name` of the owner's own, None if there is none."""

    event: Event
    home: Home
    before: tuple[ScriptFile, ...]
    name: str | None
    after: tuple[ScriptFile, ...]
    source: str = ""


@frozen
class Looked:
    """Flags before a change, by UID."""

    due: Due
    flags: dict[int, Flags]


@implementer(IMailListener)
@frozen(eq=False)
class ScriptedEvents:
    """`accounts` finds the account of a name.  With `named` the scripts run that
    annotations name; with `expunges` what is not kept is removed."""

    delivery: SieveDelivery
    accounts: Callable[[str], Awaitable[Account | None]]
    rules: tuple[Rule, ...] = ()
    named: bool = True
    expunges: bool = False
    _running: set[Deferred[None]] = field(factory=set)

    async def arrived(self, event: Event, uids: Sequence[int]) -> None:
        """See IMailListener."""
        due = await self._due(event)
        if due is not None:
            await self._run_all(due, dict.fromkeys(uids, ""))

    async def look(self, event: Event, uids: Sequence[int]) -> Looked | None:
        """See IMailListener."""
        due = await self._due(event)
        if due is None:
            return None
        rows = await self._rows(due, uids)
        return Looked(due, dict(zip(rows.uids, rows.flags, strict=True)))

    async def changed(self, event: Event, looked: Looked) -> None:
        """See IMailListener."""
        rows = await self._rows(looked.due, list(looked.flags))
        changed = {}
        for uid, flags in zip(rows.uids, rows.flags, strict=True):
            other = flags ^ looked.flags[uid]
            if other:
                changed[uid] = " ".join(sorted(other))
        if changed:
            await self._run_all(looked.due, changed)

    async def close(self) -> None:
        """Those that run are waited for."""
        for running in list(self._running):
            await running

    # -- which scripts ----------------------------------------------------------------

    async def _due(self, event: Event) -> Due | None:
        if not (self.named or self.rules):
            return None
        home = await self._home(event)
        if home is None:
            return None
        source = await self._source(event, home)
        rules = [
            rule
            for rule in self.rules
            if event.cause in rule.causes
            and await self._is_of(rule.mailbox, home.path, home)
            and (not rule.source or await self._is_of(rule.source, source, home))
        ]
        before = tuple(file for rule in rules for file in rule.before)
        after = tuple(file for rule in rules for file in rule.after)
        name = await _named(home) if self.named else None
        if not (before or after or name):
            return None
        delimiter = self.delivery.setting.delimiter
        from_ = "" if source is None else join(source, delimiter)
        return Due(event, home, before, name, after, from_)

    async def _home(self, event: Event) -> Home | None:
        """None for a mailbox that nobody owns, and for mail that is kept elsewhere."""
        login = event.login
        mailboxes: Any = login.mailboxes
        if not (IScripts.providedBy(mailboxes) and IRights.providedBy(mailboxes)):
            return None
        if not ISharedMailboxes.providedBy(mailboxes):
            return Home(login.account, mailboxes, event.path)
        owner = mailboxes.owner_of(event.path)
        tree, path = await mailboxes.home(event.path)
        if owner == mailboxes.owner:
            return Home(login.account, tree, path)
        account = await self.accounts(owner) if owner else None
        if account is None or not IScripts.providedBy(tree):
            return None
        return Home(account, tree, path)

    async def _source(self, event: Event, home: Home) -> Path | None:
        """The owner's name of the mailbox that copies come from; None if that is of
        somebody else."""
        if event.source is None:
            return None
        mailboxes: Any = event.login.mailboxes
        if not ISharedMailboxes.providedBy(mailboxes):
            return event.source
        if mailboxes.owner_of(event.source) != mailboxes.owner_of(event.path):
            return None
        _, path = await mailboxes.home(event.source)
        found: Path = path
        return found

    async def _is_of(self, pattern: str, path: Path | None, home: Home) -> bool:
        """True if a mailbox has a name, or the special use, that a rule means."""
        if path is None:
            return False
        if not pattern.startswith("\\"):
            return Matcher("", [pattern], self.delivery.setting.delimiter).matches(path)
        infos: list[MailboxInfo] = await home.mailboxes.listed()
        uses = next((one.special_uses for one in infos if one.path == path), ())
        return pattern.lower() in {use.lower() for use in uses}

    async def _scripts(self, due: Due) -> tuple[list[Script], list[tuple[str, Fault]]]:
        """Those to run in order, and what is wrong with others."""
        found: list[Script] = []
        bad: list[tuple[str, Fault]] = []

        async def add(name: str, work: Awaitable[Any]) -> None:
            try:
                found.append(Script(name, await work))
            except ScriptError as fault:
                bad.append((name, fault.faults[0]))

        for file in due.before:
            await add(file.path, file.program())
        if due.name is not None:
            scripts: Any = due.home.mailboxes
            try:
                octets = await scripts.script(due.name)
            except NoSuchScript:  # RFC 6785 §2.3.1: then none is run
                octets = None
            if octets is not None:
                programs = self.delivery.setting.programs
                await add(f'your script "{due.name}"', programs.program(octets))
        for file in due.after:
            await add(file.path, file.program())
        return found, bad

    # -- one message after the other --------------------------------------------------

    async def _rows(self, due: Due, uids: Sequence[int]) -> MessageRows:
        mailbox = await due.home.mailboxes.open(due.home.path)
        try:
            return await mailbox.rows(uids)
        finally:
            await mailbox.close()

    async def _run_all(self, due: Due, changed: dict[int, str]) -> None:
        """For messages by UID, with the names of their changed flags."""
        running: Deferred[None] = Deferred()
        self._running.add(running)
        try:
            scripts, bad = await self._scripts(due)
            if not (scripts or bad):
                return
            uids = list(changed)
            mailbox = await due.home.mailboxes.open(due.home.path)
            try:
                for at in range(0, len(uids), CHUNK):
                    rows = await mailbox.rows(uids[at : at + CHUNK])
                    for row, uid in enumerate(rows.uids):
                        one = _One(self, due, mailbox, rows, row, changed[uid])
                        await one.run(scripts, bad)
                        await self.delivery.setting.pause()
            finally:
                await mailbox.close()
        finally:
            self._running.discard(running)
            running.callback(None)


async def _named(home: Home) -> str | None:
    """RFC 6785 §2.3.1: an annotation of the mailbox hides that of the account, whatever
    it says."""
    values = await home.mailboxes.known_annotation(SCRIPT)
    value = values.get(home.path, values.get(ACCOUNT, b""))
    return value.decode("utf-8", "replace") or None


@frozen(eq=False)
class _One:
    """One message, the `row` of `rows` in `mailbox`; `changed` names flags."""

    events: ScriptedEvents
    due: Due
    mailbox: IMailbox
    rows: MessageRows
    row: int
    changed: str

    @property
    def uid(self) -> int:
        return self.rows.uids[self.row]

    @property
    def flags(self) -> Flags:
        return self.rows.flags[self.row] - {RECENT}

    async def run(
        self, scripts: Sequence[Script], bad: Sequence[tuple[str, Fault]]
    ) -> None:
        """A fault is for the log alone."""
        kept = self.events.delivery.setting.kept(b"")
        lock = self.events.delivery.lock(self.due.home.account.name)
        await lock.acquire()
        try:
            buffer = await self._read(kept)
            if buffer is None:
                return  # it is gone
            try:
                await self._run(buffer, scripts, bad)
            except RememberedMeanwhile:  # by another process
                await self._run(buffer, scripts, bad)
        except MailError as fault:
            log.warn(
                "scripts for {cause} in {where} of {name}: {fault}",
                cause=self.due.event.cause.value,
                where="/".join(self.due.home.path),
                name=self.due.home.account.name,
                fault=fault.public,
            )
        except Exception:
            log.failure("scripts for IMAP events")
        finally:
            lock.release()
            kept.close()

    async def _read(self, kept: IKept) -> Buffer | None:
        octets = self.rows.octets[self.row]
        if not await read_into(self.mailbox, self.uid, octets, kept.write):
            return None
        return await kept.buffer()

    async def _run(
        self,
        buffer: Buffer,
        scripts: Sequence[Script],
        bad: Sequence[tuple[str, Fault]],
    ) -> None:
        delivery, account = self.events.delivery, self.due.home.account
        message = Message(buffer)
        header = Message(buffer).header
        here = self._circumstances(delivery.circumstances(message))
        outcome, answers = await delivery.run(account, message, scripts, here)
        if bad:
            outcome = evolve(outcome, failed=(*bad, *outcome.failed))
        rooms = delivery.setting.rooms
        owner = own_address(account, self._domain)
        recipient = LocalRecipient(owner, account, as_is=True)
        envelope = Envelope(rooms.new_id(), "imap4", owner, (recipient,))
        planner = EventPlanner(
            rooms, envelope, recipient, header, answers, held=self.flags
        )
        plan = await planner.event_plan(outcome)
        await self._carry_out(plan, buffer, envelope, recipient)
        log.info(
            "{message} sieve after {cause} in {where} of {name}: {told}",
            message=envelope.message_id,
            cause=self.due.event.cause.value,
            where="/".join(self.due.home.path),
            name=account.name,
            told="; ".join(plan.done.told) or "nothing",
        )

    @property
    def _domain(self) -> str:
        return self.events.delivery.setting.environment["domain"]

    def _circumstances(self, here: Circumstances) -> Circumstances:
        event, user = self.due.event, self.due.event.login.account
        delimiter = self.events.delivery.setting.delimiter
        return after_event(
            here,
            event.cause.value,
            join(self.due.home.path, delimiter),
            user=user.name,
            email=str(own_address(user, self._domain)),
            flags=self.flags,
            changed=self.changed,
            source=self.due.source,
        )

    # -- what is done -----------------------------------------------------------------

    async def _carry_out(
        self,
        plan: EventPlan,
        buffer: Buffer,
        envelope: Envelope,
        recipient: LocalRecipient,
    ) -> None:
        """First what is beside the message, then its flags: a crash between the two
        loses nothing."""
        setting, done = self.events.delivery.setting, plan.done
        if done.plain is not None:
            await self._copy(done.plain, buffer)
        elif done.filings or done.sendings or done.memories:
            plans = [(recipient, done)]
            await queue(setting.rooms, envelope, buffer, plans, setting.pieces)
        if plan.flags is None:
            await self._change(FlagAction.ADD, frozenset({DELETED}))
            if self.events.expunges:
                await self.mailbox.expunge([self.uid])
            return
        await self._change(FlagAction.ADD, plan.flags - self.flags)
        await self._change(FlagAction.REMOVE, self.flags - plan.flags)

    async def _change(self, action: FlagAction, flags: Flags) -> None:
        if flags:
            await self.mailbox.store_flags([self.uid], FlagChange(action, flags))

    async def _copy(self, filing: Filing, buffer: Buffer) -> None:
        """The one copy that is all."""
        mailboxes = self.due.home.mailboxes
        if filing.draft is None and filing.flags == self.rows.flags[self.row]:
            await self.mailbox.copy([self.uid], filing.path)
            return
        upload = mailboxes.upload(filing.path)
        try:
            if filing.draft is None:
                parts = self.events.delivery.setting.pieces(buffer)
            else:
                parts = drafted(filing.draft, buffer)
            for part in parts:
                waiting = upload.write(part)
                if waiting is not None:
                    await waiting
        except BaseException:
            upload.abort()
            raise
        date = self.rows.internal_dates[self.row]
        await mailboxes.append(filing.path, [(upload, filing.flags, date)])
