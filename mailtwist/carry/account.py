"""An account of this server as an end, through its mailboxes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from zope.interface import implementer

from ..auth.names import login_key
from ..errors import MailboxExists, MailError, NotPermitted
from ..flags import RECENT, Flags
from ..mailbox.interfaces import IMailbox, IMailboxes, IRights
from ..mailbox.model import FlagAction, FlagChange, Path, Range
from ..mailbox.rights import ANYONE, GROUP, NEGATIVE, Action, RightsChange
from ..mailbox.sharing import Sharing
from .model import Folder, IEnd, Item, Letter, Listed

SLICE_OCTETS = 256 * 1024  # of a message, written at a time


@implementer(IEnd)
class AccountEnd:
    """`name` is the account's; with `sharing` it gives the rights that folders had."""

    def __init__(
        self, name: str, mailboxes: IMailboxes, sharing: Sharing | None = None
    ) -> None:
        self.name, self._mailboxes = f"account:{name}", mailboxes
        self._sharing = sharing
        self._open: tuple[Path, IMailbox] | None = None

    async def folders(self) -> list[Folder]:
        return [
            Folder(info.path, info.special_uses, info.subscribed)
            for info in await self._mailboxes.listed()
            if info.selectable and info.exists
        ]

    async def make(self, folder: Folder) -> None:
        there = {one.path: one for one in await self.folders()}
        if folder.path not in there:
            used = {use for one in there.values() for use in one.special_uses}
            uses = folder.special_uses - used  # each has one mailbox
            with suppress(MailboxExists):  # somebody made it just now
                await self._mailboxes.create(folder.path, uses)
        if folder.subscribed:
            await self._mailboxes.subscribe(folder.path)
        if folder.rights and self._sharing is not None:
            await self._give(self._sharing, folder)

    async def _give(self, sharing: Sharing, folder: Folder) -> None:
        """The rights that others had, unless a list was made here."""
        if not IRights.providedBy(self._mailboxes):
            return
        tree: Any = self._mailboxes
        if folder.path in await tree.lists():
            return
        domain = tree.owner.partition("@")[2]
        for identifier, held in folder.rights.items():
            taken = NEGATIVE if identifier.startswith(NEGATIVE) else ""
            name = identifier.removeprefix(NEGATIVE)
            if name and name[0] != GROUP and name != ANYONE:
                name = login_key(name, domain)
            wanted = RightsChange(Action.REPLACE, held)
            one = taken + (name or tree.owner)

            async def change(one: str = one, wanted: RightsChange = wanted) -> None:
                await tree.set_rights(folder.path, one, wanted)

            try:
                await sharing.give(
                    tree.owner, sharing.identifier(one, tree.owner), change
                )
            except NotPermitted:  # to everybody, and nobody may here
                continue

    async def _opened(self, path: Path) -> IMailbox:
        """The mailbox, which stays open until another one is asked for."""
        if self._open is None or self._open[0] != path:
            await self.close()
            self._open = path, await self._mailboxes.open(path)
        return self._open[1]

    async def listed(self, path: Path) -> Listed:
        mailbox = await self._opened(path)
        await mailbox.status()
        rows = await mailbox.rows()
        columns = rows.uids, rows.flags, rows.internal_dates, rows.octets
        return Listed(
            f"{mailbox.object_id} {mailbox.uid_validity}",
            [
                Item(str(uid), flags - {RECENT}, date, octets)
                for uid, flags, date, octets in zip(*columns, strict=True)
            ],
        )

    async def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]:
        mailbox = await self._opened(path)
        return await mailbox.octets([Range(int(key)) for key in keys])

    async def add(self, path: Path, letters: Sequence[Letter]) -> list[str | MailError]:
        uploads = []
        try:
            for letter in letters:
                upload = self._mailboxes.upload()
                uploads.append((upload, letter.flags, letter.internal_date))
                for at in range(0, len(letter.octets), SLICE_OCTETS):
                    waited = upload.write(letter.octets[at : at + SLICE_OCTETS])
                    if waited is not None:
                        await waited
                if len(letter.octets) > SLICE_OCTETS:
                    await upload.shelve()
            appended = await self._mailboxes.append(path, uploads)
        except BaseException:
            for upload, _, _ in uploads:
                upload.abort()
            raise
        return [str(uid) for uid in appended.uids]

    async def set_flags(self, path: Path, changes: Sequence[tuple[str, Flags]]) -> None:
        by_flags: dict[Flags, list[int]] = {}
        for key, flags in changes:
            by_flags.setdefault(flags, []).append(int(key))
        mailbox = await self._opened(path)
        for flags, uids in by_flags.items():
            change = FlagChange(FlagAction.REPLACE, flags)
            await mailbox.store_flags(sorted(uids), change)

    async def remove(self, path: Path, keys: Sequence[str]) -> None:
        mailbox = await self._opened(path)
        await mailbox.expunge(sorted(map(int, keys)))

    async def close(self) -> None:
        if self._open is not None:
            (_, mailbox), self._open = self._open, None
            await mailbox.close()
