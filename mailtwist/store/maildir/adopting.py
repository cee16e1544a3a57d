"""A row for a folder that has none: new, another program's, or its state was lost -
then the uidlist gives back what it knows, ours or that of the server before us."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...mailbox.model import Path
from .. import state_rights
from ..state import MailboxRow
from . import courier_acl, predecessors, scan, uidlist

if TYPE_CHECKING:
    from .account import AccountFiles


def adopt(files: AccountFiles, path: Path, folder: str) -> MailboxRow:
    """In a thread, in a transaction."""
    state, ours = files.state, uidlist.read(folder)
    kept = ours or predecessors.read(folder)
    if kept is None:
        row = state.add_mailbox(path)
    else:
        # Above every MODSEQ that was given out before the state was lost.
        modseq = time.time_ns() // 1000
        row = state.add_mailbox(
            path,
            # A folder that was copied has the id of the first.
            object_id="" if state.has_object(kept.object_id) else kept.object_id,
            uid_validity=kept.uid_validity,
            uid_next=kept.uid_next,
            highest_modseq=modseq,
            vanished_from=modseq,
        )
        state.add_keywords(row.id, kept.keywords.items())
        found = scan.salvaged(folder, kept, row.highest_modseq, int(time.time()))
        state.add_messages(row.id, found)
    owner = files.account.name
    rights = {} if ours is not None else courier_acl.rights_in(folder, owner)
    if rights:
        state_rights.put(state, row.id, rights, owner)
    return row
