"""What an account has when somebody uses it first; in a thread, in a transaction.

Another server's subscriptions are taken over, and mailboxes with special uses are
made: as folders that are ready but for their name, and as notes of renames in the same
transaction as their rows.  Until it is committed nothing was made; after that whoever
comes next finishes it (`AccountFiles._finish_renames`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...mailbox.model import INBOX, Path
from ...mailbox.special_uses import Uses, settled
from .. import state_text
from ..state_text import Told
from . import courier_acl, uidlist

if TYPE_CHECKING:
    from .account import AccountFiles


def note(files: AccountFiles, asked: Uses) -> None:
    """Put down what an account without any state is to have."""
    place, state = files.place, files.state
    files.counting.doubted()  # figures of a state that was lost are not this one's
    told = state_text.read(state.path)
    present = place.listed()
    if told is not None:
        _restored(files, told, present)
        return
    state.retell(later=True)
    for path in place.subscriptions():
        state.subscribe(path)
    found, missing = settled(asked, present)
    if os.path.exists(os.path.join(place.beside(present[INBOX]), uidlist.FILE)):
        missing = {}  # only its state was lost: what is not there was deleted
    for path in {INBOX: None, **found}:
        row = files.adopt(path, present[path])
        state.set_special_uses(row.id, found.get(path, frozenset()))
    for path, folder in present.items():  # whom it is shared with counts from now on
        if state.mailbox(path) is None and courier_acl.is_here(folder):
            files.adopt(path, folder)
    for path, uses in missing.items():
        state.add_mailbox(path, uses)
        state.subscribe(path)
    state.add_renames([(place.staged(path), path) for path in missing])


def _restored(files: AccountFiles, told: Told, present: Mapping[Path, str]) -> None:
    """The state was lost: what users set up comes from the text beside it."""
    db = files.state.db
    state_text.restore_account(told, db)
    for path, folder in present.items():
        row = files.adopt(path, folder)
        line = told.of_mailbox(row.object_id, path)
        if line is not None:
            state_text.restore_mailbox(line, row.id, db)
            files.state.set_special_uses(row.id, frozenset(line["uses"]))
    files.state.retell()
