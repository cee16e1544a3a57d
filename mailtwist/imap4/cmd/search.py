"""SEARCH (§6.4.4), ESEARCH (RFC 4731), with MODSEQ (RFC 7162 §3.1.5)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from ...interfaces import IMailbox
from ...mailbox.search import search as find
from ...seqset import SequenceSet
from ..response import Answer, ok, string, untagged
from ..selected import Selected
from ..session import Session
from ..types import Search, SearchReturn


@frozen
class _Recent:
    """The \\Recent messages of a session, as a container."""

    is_recent: Callable[[int], bool]

    def __contains__(self, uid: object) -> bool:
        return isinstance(uid, int) and self.is_recent(uid)


async def search(session: Session, command: Search) -> Answer:
    mailbox, selected = session.open
    if command.uses_modseq:
        session.enable_condstore()
    await session.look_if_due()
    uids = await find(
        mailbox,
        command.key,
        selected.uids,
        recent=_Recent(selected.is_recent),
        pause=session.connection.pause,
    )
    gone = selected.vanished  # and not yet told, as numbers are under way
    if gone:
        uids = [uid for uid in uids if uid not in gone]
    found = uids if command.uid else _numbers(selected, uids)
    if command.returns is None:
        words = ["SEARCH", *map(str, found)]
        if command.uses_modseq and uids:
            words.append(f"(MODSEQ {await _highest(mailbox, uids)})")
        session.put(untagged(" ".join(words).encode()))
    else:
        session.put(await _esearch(session, command, command.returns, uids, found))
    if gone and not command.uid:  # RFC 5530 §3
        return ok("SEARCH completed, some messages are gone", b"EXPUNGEISSUED")
    return ok("SEARCH completed")


def _numbers(selected: Selected, uids: list[int]) -> list[int]:
    if len(uids) == selected.exists:
        return list(range(1, len(uids) + 1))
    numbers = map(selected.number_of, uids)
    return [number for number in numbers if number is not None]


async def _highest(mailbox: IMailbox, uids: list[int]) -> int:
    """The highest MODSEQ of these; 1 if they are all gone meanwhile."""
    return max((await mailbox.rows(uids)).modseqs, default=1)


async def _esearch(
    session: Session,
    command: Search,
    returns: frozenset[SearchReturn],
    uids: list[int],
    found: list[int],
) -> bytes:
    """The line of RFC 4731 §3.1."""
    words = [b"ESEARCH", b"(TAG %b)" % string(session.tag)]
    if command.uid:
        words.append(b"UID")
    if found:
        if SearchReturn.MIN in returns:
            words.append(b"MIN %d" % found[0])
        if SearchReturn.MAX in returns:
            words.append(b"MAX %d" % found[-1])
        if SearchReturn.ALL in returns:
            words.append(b"ALL " + SequenceSet.of_numbers(found).encode())
    if SearchReturn.COUNT in returns:
        words.append(b"COUNT %d" % len(found))
    if command.uses_modseq and uids:
        # RFC 4731 §3.2: of what is told, so of all unless only the ends are.
        if not returns & {SearchReturn.ALL, SearchReturn.COUNT}:
            ends = [uids[0]] if SearchReturn.MIN in returns else []
            uids = ends + ([uids[-1]] if SearchReturn.MAX in returns else [])
        words.append(b"MODSEQ %d" % await _highest(session.open[0], sorted(set(uids))))
    return untagged(*words)
