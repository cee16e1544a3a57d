"""ESEARCH: one search in many mailboxes (RFC 7377)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import MailboxFault, NotPermitted
from ...mailbox.held_rights import need, personal
from ...mailbox.interfaces import IMailbox
from ...mailbox.model import INBOX, MailboxInfo, Path
from ...mailbox.search import search as find
from ...seqset import SequenceSet
from ..response import Answer, ok, string, untagged
from ..session import Session
from ..types_search import MultiSearch, Returns, SearchReturn, SearchSource
from .context import keep, wanted_key
from .mailboxes import name_of
from .recent import Recent
from .search import highest, searched, shown_of, told_words


async def esearch(session: Session, command: MultiSearch) -> Answer:
    """One line for each mailbox in which something is found, in the order of LIST."""
    search = command.search
    selected: Path | None = None
    if any(source is SearchSource.SELECTED for source, _ in command.sources):
        selected = session.open[0].path  # or BadSequence
    key = wanted_key(session, search)
    if search.uses_modseq:
        session.enable_condstore()
    infos = await session.mailboxes.listed()
    code = b""
    for path in _paths(session, command, infos, selected):
        if path == selected:
            found = await searched(session, search)
            code = found.code
            mailbox, view = session.open
            await _tell(session, command, mailbox, found.uids, found.scores)
            returns = search.returns or Returns()
            if returns.asks(SearchReturn.SAVE):
                view.saved = sorted(set(_shown(returns, found.uids)))
            keep(session, search, key, found.uids)
        else:
            try:
                await _elsewhere(session, command, path)
            except (MailboxFault, NotPermitted):
                continue  # deleted meanwhile, or nothing to be selected
        await session.flow()
    if code:
        return ok("ESEARCH completed for the newest messages", code)
    return ok("ESEARCH completed")


async def _elsewhere(session: Session, command: MultiSearch, path: Path) -> None:
    await need(session.mailboxes, path, "r")
    mailbox = await session.mailboxes.open(path, read_only=True)
    try:
        scores: dict[int, float] = {}
        first_recent = await mailbox.take_recent()
        uids = await find(
            mailbox,
            command.search.key,
            (await mailbox.rows()).uids,
            recent=Recent(lambda uid: uid >= first_recent),
            pause=session.connection.pause,
            now=session.connection.now(),
            saved=_saved(session, mailbox),
            scores=scores,
        )
        await _tell(session, command, mailbox, uids, scores)
    finally:
        await mailbox.close()


def _saved(session: Session, mailbox: IMailbox) -> list[int]:
    """What "$" means there: it belongs to the selected mailbox (RFC 5182 §2.1), whoever
    names that."""
    if session.mailbox is None or session.selected is None:
        return []
    same = mailbox.object_id == session.mailbox.object_id
    return session.selected.saved if same else []


async def _tell(
    session: Session,
    command: MultiSearch,
    mailbox: IMailbox,
    uids: list[int],
    scores: Mapping[int, float],
) -> None:
    """The line of a mailbox with all correlators; none if nothing was found (§2.1)."""
    returns = command.search.returns or Returns()
    if not uids or not returns.tells:
        return
    words = [
        b"ESEARCH",
        b"(TAG %b MAILBOX %b UIDVALIDITY %d)"
        % (string(session.tag), name_of(session, mailbox.path), mailbox.uid_validity),
        b"UID",
        *told_words(returns, uids, list, SequenceSet.of_numbers, scores),
    ]
    shown = _shown(returns, uids)
    if command.search.uses_modseq and shown:
        words.append(b"MODSEQ %d" % await highest(mailbox, sorted(set(shown))))
    session.put(untagged(*words))


def _shown(returns: Returns, uids: list[int]) -> list[int]:
    part = uids if returns.partial is None else returns.partial.of(uids)
    return shown_of(returns, uids, part)


def _paths(
    session: Session,
    command: MultiSearch,
    infos: Iterable[MailboxInfo],
    selected: Path | None,
) -> list[Path]:
    """Each mailbox once; the selected one first, those last that need not be listed as
    they are called by their names (§2.2)."""
    there = [info for info in infos if info.selectable and info.exists]
    paths: list[Path] = [] if selected is None else [selected]
    for info in there:
        if info.path == selected:
            continue
        own = personal(session.mailboxes, info.path)
        if any(_named(source, paths_, info, own) for source, paths_ in command.sources):
            paths.append(info.path)
    called = [
        path
        for source, named in command.sources
        if source is SearchSource.MAILBOXES
        for path in named
    ]
    return list(dict.fromkeys(paths + called))


def _named(
    source: SearchSource, paths: tuple[Path, ...], info: MailboxInfo, own: bool
) -> bool:
    path = info.path
    match source:
        case SearchSource.PERSONAL:
            return own
        case SearchSource.INBOXES:  # where mail is delivered
            return path == INBOX
        case SearchSource.SUBSCRIBED:
            return info.subscribed
        case SearchSource.MAILBOXES:
            return path in paths
        case SearchSource.SUBTREE:
            return any(path[: len(top)] == top for top in paths)
        case SearchSource.SUBTREE_ONE:
            return path in paths or path[:-1] in paths
    return False
