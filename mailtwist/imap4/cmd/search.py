"""SEARCH (§6.4.4), ESEARCH (RFC 4731; always in IMAP4rev2, RFC 9051 §6.4.4), with
MODSEQ (RFC 7162 §3.1.5), SAVE (RFC 5182) and PARTIAL (RFC 9394)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...errors import MailError
from ...mailbox.interfaces import IMailbox
from ...mailbox.search import search as find
from ...seqset import SequenceSet
from ..response import Answer, ok, string, untagged
from ..selected import Selected
from ..session import Session
from ..types_search import Returns, Search, SearchReturn
from .context import keep, wanted_key
from .limit import Touched, narrowed, tell_apart
from .recent import Recent


async def search(session: Session, command: Search) -> Answer:
    key = wanted_key(session, command)
    found = await searched(session, command)
    if command.returns is None and not session.engine.rev2:
        downwards = found.uids[::-1] if found.code else found.uids  # RFC 9738 §3.1
        await tell_plain(session, command, "SEARCH", downwards)
    else:
        await tell_extended(
            session, command, found.uids, SequenceSet.of_numbers, found.scores
        )
    keep(session, command, key, found.uids)
    return completed(session, command, "SEARCH", found.code)


async def searched(
    session: Session, command: Search, *, whole: bool = False
) -> Touched:
    """The UIDs that match, ascending; nothing is saved if it fails.

    `whole`: raises TooManyMessages rather than look at some of the messages only.
    """
    mailbox, selected = session.open
    if command.uses_modseq:
        session.enable_condstore()
    await session.look_if_due()
    saves = command.returns is not None and command.returns.asks(SearchReturn.SAVE)
    scores: dict[int, float] = {}
    try:
        key, code = narrowed(session, selected, command.key, whole=whole)
        uids = await find(
            mailbox,
            key,
            selected.uids,
            recent=Recent(selected.is_recent),
            pause=session.connection.pause,
            now=session.connection.now(),
            saved=selected.saved,
            scores=scores,
        )
    except MailError:
        if saves:  # RFC 5182 §2.1: a NO leaves nothing saved
            selected.saved = []
        raise
    gone = selected.vanished  # and not yet told, as numbers are under way
    if gone:
        uids = [uid for uid in uids if uid not in gone]
    return Touched(uids, code, scores)


def completed(session: Session, command: Search, name: str, code: bytes) -> Answer:
    """The tagged OK, which says so if not all messages were looked at (RFC 9738) or
    some are gone (RFC 5530 §3)."""
    if session.open[1].vanished and not command.uid:
        tell_apart(session, code)
        return ok(f"{name} completed, some messages are gone", b"EXPUNGEISSUED")
    if code:
        return ok(f"{name} completed for the newest messages", code)
    return ok(f"{name} completed")


def told_as(selected: Selected, command: Search, uids: Sequence[int]) -> list[int]:
    """UIDs as the client wants them: UIDs, or message numbers in the same order."""
    if command.uid:
        return list(uids)
    return selected.numbers_of(uids)


async def tell_plain(
    session: Session, command: Search, name: str, uids: list[int]
) -> None:
    """`* SEARCH` or `* SORT` with its numbers."""
    mailbox, selected = session.open
    words = [name, *map(str, told_as(selected, command, uids))]
    if command.uses_modseq and uids:
        words.append(f"(MODSEQ {await highest(mailbox, uids)})")
    session.put(untagged(" ".join(words).encode()))


async def tell_extended(
    session: Session,
    command: Search,
    uids: list[int],
    as_set: Callable[[list[int]], SequenceSet],
    scores: Mapping[int, float],
) -> None:
    """`* ESEARCH` (RFC 4731 §3.1) of results in their order, and "$" for SAVE.

    `as_set` puts numbers into a set that is told: sorted, or as they come (SORT).
    """
    mailbox, selected = session.open
    returns = command.returns or Returns()
    part = uids if returns.partial is None else returns.partial.of(uids)
    shown = shown_of(returns, uids, part)
    if returns.asks(SearchReturn.SAVE):
        selected.saved = sorted(set(uids if _saves_all(returns) else shown))
    if not returns.tells:
        return
    words = [b"ESEARCH", b"(TAG %b)" % string(session.tag)]
    if command.uid:
        words.append(b"UID")
    words += told_words(
        returns, uids, lambda some: told_as(selected, command, some), as_set, scores
    )
    if command.uses_modseq and shown:  # RFC 4731 §3.2: of what is told
        words.append(b"MODSEQ %d" % await highest(mailbox, sorted(set(shown))))
    session.put(untagged(*words))


def told_words(
    returns: Returns,
    uids: list[int],
    told: Callable[[Sequence[int]], list[int]],
    as_set: Callable[[list[int]], SequenceSet],
    scores: Mapping[int, float],
) -> list[bytes]:
    """search-return-data of these results; `told` gives them as the client knows
    them, `scores` are those of RELEVANCY (RFC 6203 §4)."""
    words = []
    if uids:
        ends = told([uids[0], uids[-1]])
        if returns.asks(SearchReturn.MIN):
            words.append(b"MIN %d" % ends[0])
        if returns.asks(SearchReturn.MAX):
            words.append(b"MAX %d" % ends[-1])
        if returns.asks(SearchReturn.ALL):
            words.append(b"ALL " + as_set(told(uids)).encode())
    if returns.partial is not None:
        some = as_set(told(returns.partial.of(uids))).encode() or b"NIL"
        words.append(b"PARTIAL (%b %b)" % (returns.partial.encode(), some))
    if returns.asks(SearchReturn.COUNT):
        words.append(b"COUNT %d" % len(uids))
    part = uids if returns.partial is None else returns.partial.of(uids)
    if returns.asks(SearchReturn.RELEVANCY) and part:
        told_scores = [max(1, round(100 * scores.get(uid, 1.0))) for uid in part]
        words.append(b"RELEVANCY (%b)" % " ".join(map(str, told_scores)).encode())
    return words


def _saves_all(returns: Returns) -> bool:
    """The table of RFC 5182 §2.4, with that of RFC 9394 §3.2."""
    some = {SearchReturn.MIN, SearchReturn.MAX}
    all_ = {SearchReturn.ALL, SearchReturn.COUNT}
    if returns.options & all_:
        return True
    return returns.partial is None and not returns.options & some


def shown_of(returns: Returns, uids: list[int], part: list[int]) -> list[int]:
    """The results that the answer is about."""
    if _saves_all(returns) or not uids:
        return uids
    shown = list(part) if returns.partial is not None else []
    if returns.asks(SearchReturn.MIN):
        shown.append(uids[0])
    if returns.asks(SearchReturn.MAX):
        shown.append(uids[-1])
    return shown


async def highest(mailbox: IMailbox, uids: list[int]) -> int:
    """The highest MODSEQ of these; 1 if they are all gone meanwhile."""
    return max((await mailbox.rows(sorted(uids))).modseqs, default=1)
