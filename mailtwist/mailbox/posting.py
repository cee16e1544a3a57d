"""Which mailbox a subaddress posts into (RFC 4314 §2.1, the right "p").

`ops+lists/python@example.org` goes into Lists/python of ops if anybody may post there,
and into its INBOX if not: whoever writes to an address has not said who he is.  A login
that submits has, and is judged as its account and its groups are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from twisted.logger import Logger

from ..directory.model import Account
from ..errors import MailboxFault, MailError
from .interfaces import IRights, IStore
from .model import INBOX, Path
from .rights import NEGATIVE, Entries, default_list, granted
from .sharing import ANONYMOUS

log = Logger("mailtwist")

POST = "p"


class Posting:
    """`defaults` are the lists of mailboxes that have none, by name of account."""

    def __init__(self, store: IStore, defaults: Mapping[str, Entries]) -> None:
        self._store, self._defaults = store, defaults

    async def place(
        self, account: Account, detail: str, poster: Collection[str] = ()
    ) -> Path | None:
        """None for the INBOX: also if the account cannot be asked now.  `poster` are
        the identifiers of the login that sends, if one does."""
        mailboxes = self._store.mailboxes(account)
        if not detail or not IRights.providedBy(mailboxes):
            return None
        tree: IRights = mailboxes
        wanted = _folded(tuple(detail.split("/")))
        try:
            for path in await self._open(tree, account, poster):
                if _folded(path) == wanted:
                    await tree.rights(path)  # raises if it is not there any more
                    return path
        except MailboxFault:
            return None
        except MailError as fault:
            log.warn(
                "where {name} is posted to: {why}", name=account.name, why=fault.public
            )
        return None

    async def _open(
        self, tree: IRights, account: Account, poster: Collection[str]
    ) -> list[Path]:
        lists = await tree.known_lists()
        default = self._defaults.get(account.name)
        if default is None:
            default = default_list(account.name)
        names = set(lists)
        if _lets(default, poster):
            names.update(info.path for info in await tree.listed() if info.selectable)
        return sorted(
            path
            for path in names
            if path != INBOX and _lets(lists.get(path, default), poster)
        )


def _lets(entries: Entries, poster: Collection[str]) -> bool:
    """What is taken from the anonymous alone, a login still has."""
    if not poster:
        return POST in granted(entries, {ANONYMOUS})
    named = {who: held for who, held in entries.items() if who != NEGATIVE + ANONYMOUS}
    return POST in granted(named, {ANONYMOUS, *poster})


def _folded(path: Path) -> Path:
    return tuple(part.casefold() for part in path)
