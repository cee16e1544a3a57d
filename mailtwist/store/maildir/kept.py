"""Columns of messages that the state keeps: EMAILID, THREADID, the time of saving.

They are asked for seldom, so they are not among the columns in memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...mailbox.identifiers import email_id, thread_keys, thread_of
from ...mailbox.model import Column
from .. import state_identifiers
from ..state import State
from ..state_identifiers import Identifiers
from .live import Live

if TYPE_CHECKING:
    from .mailbox import MaildirMailbox

Kept = dict[Column, bytes]


async def kept(
    mailbox: MaildirMailbox, live: Live, uids: Sequence[int], *, threads: bool
) -> dict[int, Kept]:
    """By UID; THREADIDs are made now if `threads`, and durable when this returns."""
    files = mailbox.files
    found = await files.turn(lambda: files.thread(_read, files.state, live, uids))
    missing = [uid for uid, row in found.items() if not row.thread_id]
    if threads and missing:
        fields = await mailbox.rendered(missing, (Column.FIELDS,))
        keys = {
            uid: thread_keys(row[0], _email_id(live, uid, found[uid]))
            for uid, row in zip(missing, fields, strict=True)
            if row is not None
        }
        found |= await files.turn(
            lambda: files.thread(_thread, files.state, live, keys)
        )
    return {
        uid: {
            Column.EMAIL_ID: _email_id(live, uid, row),
            Column.THREAD_ID: b"%016x" % row.thread_id if row.thread_id else b"",
            Column.SAVED_AT: b"%d" % row.saved_at if row.saved_at else b"",
        }
        for uid, row in found.items()
    }


def _email_id(live: Live, uid: int, row: Identifiers) -> bytes:
    return email_id(row.email_id, live.row.object_id, uid)


def _read(state: State, live: Live, uids: Sequence[int]) -> dict[int, Identifiers]:
    return state_identifiers.identifiers(state, live.row.id, uids)


def _thread(
    state: State, live: Live, keys: dict[int, list[int]]
) -> dict[int, Identifiers]:
    """Put these messages, in order, into the threads of the account."""
    with state.transaction():
        found = state_identifiers.identifiers(state, live.row.id, list(keys))
        lacking = [uid for uid in keys if uid in found and not found[uid].thread_id]
        known = state_identifiers.threads(
            state, {key for uid in lacking for key in keys[uid]}
        )
        before = set(known)
        threads = {
            uid: thread_of(keys[uid], known, lambda: secrets.randbits(62) + 1)
            for uid in lacking
        }
        fresh = [(key, known[key]) for key in known.keys() - before]
        state_identifiers.add_threads(state, fresh)
        state_identifiers.set_threads(state, live.row.id, threads)
    return {
        uid: row._replace(thread_id=threads.get(uid, row.thread_id))
        for uid, row in found.items()
    }
