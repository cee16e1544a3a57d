"""GETMETADATA, SETMETADATA (RFC 5464), and METADATA of LIST (RFC 9590)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...config.reading import filters_of
from ...errors import AnnotationTooBig, NotPermitted
from ...mailbox.events import SCRIPT
from ...mailbox.metadata import ACCOUNT, Wish
from ...mailbox.model import Annotation, Path
from ..response import Answer, astring, literal8, ok, parenthesized, string, untagged
from ..session import Session
from ..types_kept import GetMetadata, SetMetadata
from .filters import SHARED, check_filters
from .mailboxes import name_of

_ADMIN = "/shared/admin"
_SHARED = "/shared/"


async def get_metadata(session: Session, command: GetMetadata) -> Answer:
    """An entry asked for by its name that is not there is NIL."""
    wish = Wish(command.names, command.depth)
    names = command.names if command.depth == 0 else ()
    held = await session.mailboxes.metadata(command.path, names)
    if command.path == ACCOUNT:
        held = [*held, *_of_server(session)]
    found = {one.name: one.value for one in held if wish.takes(one.name)}
    most, longest = command.most_octets, 0
    told: list[tuple[str, bytes | None]] = []
    for name, value in sorted(found.items()):
        if most is not None and len(value) > most:
            longest = max(longest, len(value))
        else:
            told.append((name, value))
    if command.depth == 0:
        told += [(name, None) for name in command.names if name not in found]
    if told:
        session.put(_line(session, command.path, told))
    code = b"METADATA LONGENTRIES %d" % longest if longest else b""
    return ok("GETMETADATA completed", code)


def _of_server(session: Session) -> list[Annotation]:
    """What this server says of itself (§3.2.1.1)."""
    admin = session.config.admin or f"mailto:postmaster@{session.hostname}"
    shared = filters_of(session.config.filters)
    return [Annotation(ACCOUNT, _ADMIN, admin.encode())] + [
        Annotation(ACCOUNT, f"{SHARED}/{name}", value) for name, value in shared.items()
    ]


async def set_metadata(session: Session, command: SetMetadata) -> Answer:
    """All of it or nothing (§4.3)."""
    most = session.config.annotation_octets
    if any(value is not None and len(value) > most for _, value in command.values):
        raise AnnotationTooBig(most)
    shared = any(_is_the_servers(name) for name, _ in command.values)
    if command.path == ACCOUNT and shared:
        raise NotPermitted("What the server shares is set by its administrator")
    if command.path == ACCOUNT:
        check_filters(command.values)
    await session.mailboxes.set_metadata(
        command.path, command.values, session.config.annotations
    )
    if session.notice is not None:
        session.notice.know(command.path, command.values)
    return ok("SETMETADATA completed")


def _is_the_servers(name: str) -> bool:
    """What the server shares; which script acts on events is each account's own."""
    return name.startswith(_SHARED) and name != SCRIPT


class Listed:
    """The annotations of all mailboxes for one LIST (RFC 9590 §3)."""

    def __init__(self, names: Sequence[str], found: Iterable[Annotation]) -> None:
        self._names = names
        self._values: dict[Path, dict[str, bytes]] = {}
        for one in found:
            self._values.setdefault(one.path, {})[one.name] = one.value

    def line(self, session: Session, path: Path) -> bytes:
        values = self._values.get(path, {})
        return _line(session, path, [(name, values.get(name)) for name in self._names])


async def listed(session: Session, names: Sequence[str]) -> Listed:
    return Listed(names, await session.mailboxes.metadata(None, names))


def _line(
    session: Session, path: Path, values: Iterable[tuple[str, bytes | None]]
) -> bytes:
    """`* METADATA` with values (§4.4.1)."""
    words = [
        word for name, value in values for word in (astring(name.encode()), _of(value))
    ]
    return untagged(b"METADATA", _where(session, path), parenthesized(words))


def changed_annotations(session: Session, path: Path, names: Iterable[str]) -> bytes:
    """`* METADATA` without values (§4.4.2)."""
    words = [astring(name.encode()) for name in names]
    return untagged(b"METADATA", _where(session, path), *words)


def _where(session: Session, path: Path) -> bytes:
    return b'""' if path == ACCOUNT else name_of(session, path)


def _of(value: bytes | None) -> bytes:
    """nstring / literal8."""
    if value is None:
        return b"NIL"
    return literal8(value) if b"\0" in value else string(value)
