"""LIST and LSUB (§6.3.8, §6.3.9, RFC 5258, RFC 5819, RFC 6154)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from operator import and_

from ...errors import BadParameter, MailError
from ...mailbox.held_rights import near, rights
from ...mailbox.model import MailboxInfo, Path
from ...mailbox.rights import ALL, Rights
from ..names import Matcher
from ..response import Answer, ok
from ..session import Session
from ..types import List, ListReturn, ListSelect, Lsub
from . import acl, metadata
from .listing import SLICE, Shown, Tree, ancestors, attributes, line, shown, wanted
from .mailboxes import name_of, status_line
from .permitted import rights_of_all

_OFFERED_AS = {
    ListReturn.MYRIGHTS: "LIST-MYRIGHTS",
    ListReturn.METADATA: "LIST-METADATA",
}
_MORE = frozenset({ListReturn.MYRIGHTS, ListReturn.METADATA, ListReturn.STATUS})
_CHILD_INFO = b' ("CHILDINFO" ("SUBSCRIBED"))'


async def list_(session: Session, command: List) -> Answer:
    for option, capability in _OFFERED_AS.items():
        if option in command.returns and not session.offers(capability):
            raise BadParameter(f"Unknown return option {option.value}")
    if command.patterns == ("",) and not command.select:  # delimiter and root
        session.put(line(session, b"LIST", [b"\\Noselect"], b'""'))
        return ok("LIST completed")
    matcher = Matcher(command.reference, command.patterns, session.config.delimiter)
    held = await rights_of_all(session)
    found = await shown(session, await _visible(session, held))
    lines = found.marked if ListReturn.SUBSCRIBED in command.returns else found.lines
    chosen = wanted(
        found,
        subscribed=ListSelect.SUBSCRIBED in command.select,
        special=ListSelect.SPECIAL_USE in command.select,
    )
    if ListSelect.RECURSIVEMATCH in command.select:
        lines, chosen = _recursive(found, lines, chosen)
    more = None
    if not command.returns.isdisjoint(_MORE):
        more = await _More.of(session, command, found)
    for at in range(0, len(lines), SLICE):
        picked = _picked(matcher, found, chosen, at)
        if more is None:
            session.put(b"".join(compress(lines[at : at + SLICE], picked)))
        else:
            places = compress(range(at, len(lines)), picked)
            await more.put([(place, lines[place]) for place in places])
        await session.flow()
    return ok("LIST completed")


def _picked(
    matcher: Matcher, found: Shown, chosen: list[bool], at: int
) -> Iterator[bool]:
    """Which of SLICE names are chosen and fit."""
    if matcher.everything:
        return iter(chosen[at : at + SLICE])
    fit = map(matcher.fits, found.texts[at : at + SLICE])
    return map(and_, chosen[at : at + SLICE], fit)


def _recursive(
    found: Shown, lines: list[bytes], chosen: list[bool]
) -> tuple[list[bytes], list[bool]]:
    """With the names that have subscribed ones below them (RFC 5258 §3.5)."""
    tree = found.tree
    above = [info.path in tree.above_subscribed for info in tree.infos]
    told = [
        plain[:-2] + _CHILD_INFO + b"\r\n" if recursive else plain
        for plain, recursive in zip(lines, above, strict=True)
    ]
    return told, [a or b for a, b in zip(chosen, above, strict=True)]


class _More:
    """What is told of each mailbox behind its LIST."""

    def __init__(
        self,
        session: Session,
        command: List,
        found: Shown,
        annotated: metadata.Listed | None,
    ) -> None:
        self._session, self._command = session, command
        self._tree, self._names = found.tree, found.names
        self._annotated = annotated

    @classmethod
    async def of(cls, session: Session, command: List, found: Shown) -> _More:
        annotated = None
        if ListReturn.METADATA in command.returns:
            annotated = await metadata.listed(session, command.metadata)
        return cls(session, command, found, annotated)

    async def put(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """Lines with the places of their mailboxes in the tree."""
        session, returns = self._session, self._command.returns
        for place, told in lines:
            session.put(told)
            info = self._tree.infos[place]
            if not (info.selectable and info.exists):
                continue
            mine = await rights(session.mailboxes, info.path)
            if ListReturn.MYRIGHTS in returns:
                session.put(acl.line(session, info.path, mine))
            if "r" not in mine:
                continue
            if ListReturn.STATUS in returns:
                name = self._names[place]
                await _list_status(session, self._command, info.path, name)
            if self._annotated is not None:
                session.put(self._annotated.line(session, info.path))
            await session.flow()


async def _visible(
    session: Session, held: Mapping[Path, Rights]
) -> Sequence[MailboxInfo]:
    """What may be looked up (RFC 4314 §4)."""
    listed: Sequence[MailboxInfo] = await session.mailboxes.listed()
    if all("l" in mine for mine in held.values()):
        return listed
    return [info for info in listed if "l" in held.get(info.path, ALL)]


async def mailbox_line(session: Session, path: Path, supplied: Path | None) -> bytes:
    """LIST of one mailbox that exists, with all that it is (RFC 9051 §6.3.2).

    `supplied` is the name that the client wrote, if it means this one: OLDNAME.
    """
    tree = Tree.of(await near(session.mailboxes, path))
    # It may be just deleted, or of a store that lists less than it opens.
    info = tree.by_path.get(path) or MailboxInfo(path, "")
    return _line_of(session, tree, info, supplied)


def changed_line(session: Session, tree: Tree, path: Path, old: Path | None) -> bytes:
    """LIST of a name that was changed, as it is now (RFC 5465 §5.4, §5.5)."""
    gone = MailboxInfo(path, "", selectable=False, exists=False)
    return _line_of(session, tree, tree.by_path.get(path) or gone, old)


def _line_of(
    session: Session, tree: Tree, info: MailboxInfo, old: Path | None
) -> bytes:
    told = attributes(info, info.path in tree.parents, subscribed=True)
    name = name_of(session, info.path)
    return line(session, b"LIST", told, name, _old_name(session, old))


async def oldname_line(
    session: Session, path: Path, supplied: Path, *, gone: bool
) -> bytes:
    """LIST of the mailbox that `supplied` meant; `gone`: until it was deleted."""
    if not gone:
        return await mailbox_line(session, path, supplied)
    name = name_of(session, path)
    return line(
        session, b"LIST", [b"\\NonExistent"], name, _old_name(session, supplied)
    )


def _old_name(session: Session, supplied: Path | None) -> bytes:
    """The extended data item of RFC 9051 §6.3.9.7."""
    if supplied is None:
        return b""
    return b' ("OLDNAME" (%b))' % name_of(session, supplied)


async def _list_status(
    session: Session, command: List, path: Path, name: bytes
) -> None:
    try:
        found = await session.mailboxes.status(path)
    except MailError:  # LIST says nothing of what cannot be said (RFC 5819 §2)
        return
    session.put(status_line(session, path, command.status, found, name))


async def lsub(session: Session, command: Lsub) -> Answer:
    """Subscribed names, and as \\\\Noselect names above subscribed ones which the
    pattern itself does not reach (§6.3.9, the "%" rule)."""
    found = await shown(session, await _visible(session, await rights_of_all(session)))
    matcher = Matcher(command.reference, (command.pattern,), session.config.delimiter)
    infos = found.tree.infos
    if matcher.everything:
        for at in range(0, len(infos), SLICE):
            session.put(b"".join(found.lsub[at : at + SLICE]))
            await session.flow()
        return ok("LSUB completed")
    fit: list[bool] = []
    for at in range(0, len(infos), SLICE):
        fit += map(matcher.fits, found.texts[at : at + SLICE])
        await session.flow()
    beyond = zip(infos, fit, strict=True)
    hidden = ancestors(
        info.path for info, fits in beyond if info.subscribed and not fits
    )
    for at, info in compress(enumerate(infos), fit):
        if info.subscribed:
            session.put(found.lsub[at])
        elif info.path in hidden:
            session.put(line(session, b"LSUB", [b"\\Noselect"], found.names[at]))
        await session.flow()
    return ok("LSUB completed")
