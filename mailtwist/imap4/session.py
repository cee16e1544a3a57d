"""One IMAP session: who is logged in, what is selected, what goes out.

Commands (`cmd/`) get it as their first argument, `put` untagged octets into it and give
an Answer back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field

from ..config.model import Imap4
from ..errors import MailError
from ..interfaces import IMailbox, IMailboxes
from .capability import Situation, capabilities
from .commands import CommandRow
from .engine import IMAP4Engine
from .selected import Selected


@define(eq=False, slots=True)
class Session:
    """`send` writes octets, `drained` waits until the client took enough of them."""

    config: Imap4
    engine: IMAP4Engine
    peer: Any  # auth.login.Peer
    authenticator: Any
    starttls: bool
    send: Callable[[bytes], None]
    drained: Callable[[], Awaitable[None]]
    pause: Callable[[], Awaitable[None]]
    changed: Callable[[int], None]  # a watched mailbox says that something happened
    login: Any = None  # auth.login.Login
    mailbox: IMailbox | None = None
    selected: Selected | None = None
    condstore: bool = False
    tag: bytes = b""  # of the command in hand
    _out: list[bytes] = field(factory=list)
    _held: int = 0

    # -- output ---------------------------------------------------------------

    def put(self, octets: bytes) -> None:
        """Untagged octets, sent with the next flush."""
        self._out.append(octets)
        self._held += len(octets)

    @property
    def held(self) -> int:
        return self._held

    def flush(self) -> None:
        if self._out:
            out, self._out, self._held = self._out, [], 0
            self.send(b"".join(out))

    # -- state ----------------------------------------------------------------

    @property
    def mailboxes(self) -> IMailboxes:
        if self.login is None:
            raise MailError()
        mailboxes: IMailboxes = self.login.account.mailboxes
        return mailboxes

    @property
    def open(self) -> tuple[IMailbox, Selected]:
        if self.mailbox is None or self.selected is None:
            raise MailError()
        return self.mailbox, self.selected

    def situation(self) -> Situation:
        tls = self.peer.tls
        return Situation(
            self.engine.state,
            tls,
            self.starttls,
            self.authenticator.plaintext(tls=tls),
            self.authenticator.mechanisms(tls=tls),
        )

    def capabilities(self) -> bytes:
        return capabilities(self.situation())

    async def look(self) -> None:
        """Learn what happened in the selected mailbox."""
        if self.mailbox is None or self.selected is None:
            return
        selected = self.selected
        changes = await self.mailbox.changes(selected.highest_modseq)
        recent = None
        last = selected.uids[-1] if selected.uids else 0
        if changes.rows.uids and changes.rows.uids[-1] > last:
            recent = await self.mailbox.take_recent()
        selected.learn(changes, recent_from=recent)

    def tell(self, row: CommandRow | None) -> None:
        """Put what was learned and may be told behind this command."""
        if self.selected is None:
            return
        lines = self.selected.flush(
            expunge=row is None or not row.keeps_numbers,
            uid=row is not None and row.uid,
            modseq=self.condstore,
        )
        for line in lines:
            self.put(line)

    async def leave(self) -> None:
        """No mailbox is selected any more."""
        mailbox, self.mailbox, self.selected = self.mailbox, None, None
        if mailbox is not None:
            await mailbox.close()
