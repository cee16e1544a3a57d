"""The names of an account, put together anew only when something changed.

Everything here runs in a thread, within a turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...mailbox.model import INBOX, Listing, MailboxInfo, Path
from .. import state_names

if TYPE_CHECKING:
    from .account import AccountFiles

MOST_MARKED = 100  # mailboxes of an account whose new/ is looked into for \Marked


class Lister:
    """Of one account; `forget` when its databases are closed."""

    def __init__(self, files: AccountFiles) -> None:
        self._files = files
        self._listing: Listing | None = None
        self._of: tuple[dict[Path, str], tuple[int, int, int]] | None = None
        self._marked: frozenset[Path] = frozenset()

    def forget(self) -> None:
        self._listing = self._of = None

    def listed(self) -> Listing:
        """See IMailboxes.listed; folders that other programs made get a row."""
        files = self._files
        files.place.prepare()
        present = files.place.listed()
        of, marked = (present, state_names.version(files.state)), self._look(present)
        if self._listing is None or of != self._of or marked != self._marked:
            return self._anew(present, marked)
        return self._listing

    def _anew(self, present: dict[Path, str], marked: frozenset[Path]) -> Listing:
        files, state = self._files, self._files.state
        with files.transaction():
            rows, subscribed = state_names.names(state), state.subscriptions()
            for path, folder in present.items():
                if path not in rows:
                    row = files.adopt(path, folder)
                    rows[path] = row.object_id, row.special_uses
            version = state_names.version(state)
        parents = {path[:depth] for path in present for depth in range(1, len(path))}
        names = sorted({*present, *parents, *subscribed})
        names.sort(key=_is_elsewhere)
        listing = Listing()
        for path in names:
            if path in present:
                object_id, uses = rows[path]
                info = MailboxInfo(
                    path,
                    object_id,
                    subscribed=path in subscribed,
                    special_uses=uses,
                    marked=path in marked,
                )
            else:
                info = MailboxInfo(
                    path,
                    "",
                    selectable=False,
                    exists=path in parents,
                    subscribed=path in subscribed,
                )
            listing.append(info)
        self._listing, self._of, self._marked = listing, (present, version), marked
        return listing

    def _look(self, present: dict[Path, str]) -> frozenset[Path]:
        """Those that have mail which nobody looked at; of many mailboxes it is not told
        (RFC 3501 §7.2.2)."""
        if len(present) > MOST_MARKED:
            return frozenset()
        marked = self._files.place.marked
        return frozenset(path for path, folder in present.items() if marked(folder))


def _is_elsewhere(path: Path) -> bool:
    """INBOX and what is below it come first."""
    return path[:1] != INBOX
