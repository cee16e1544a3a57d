"""GENURLAUTH, URLFETCH, RESETKEY (RFC 4467 §7)."""

from __future__ import annotations

from ...errors import (
    BadParameter,
    BadUrl,
    MailError,
    UnknownCommand,
    UnknownEncoding,
)
from ..response import Answer, astring, literal8, ok
from ..session import Session, StreamBroken
from ..types_urlauth import GenUrlAuth, ResetKey, UrlFetch, UrlItem
from ..url_access import MECHANISM, Asking, UrlAccess
from ..url_content import UrlContent
from .fetch_section import without_nul

URLMECH = b"URLMECH " + MECHANISM.encode()


def _access(session: Session) -> tuple[UrlAccess, Asking]:
    access, login = session.urls, session.login
    if access is None or login is None or not session.offers("URLAUTH"):
        raise UnknownCommand()
    return access, access.asking(login.name, login.mechanism)


async def gen_url_auth(session: Session, command: GenUrlAuth) -> Answer:
    """All of the URLs, or BAD."""
    access, asking = _access(session)
    if asking.anonymous:
        raise BadParameter("Nobody owns this login's mailboxes")
    made = [
        astring(await access.authorized(url, mechanism, asking.name, session.mailboxes))
        for url, mechanism in command.urls
    ]
    session.put(b"* GENURLAUTH %b\r\n" % b" ".join(made))
    return ok("GENURLAUTH completed")


async def reset_key(session: Session, command: ResetKey) -> Answer:
    """URLs that were authorized are so no more; other sessions in the mailbox hear of
    it (RFC 4467 §7)."""
    access, asking = _access(session)
    if set(command.mechanisms) - {MECHANISM}:
        raise BadParameter(f"{MECHANISM} is the one mechanism")
    await session.mailboxes.reset_access_keys(command.path)
    if command.path is None:
        return ok("All keys removed")
    for other in session.connection.others():
        login, mailbox = other.login, other.mailbox
        if login is None or mailbox is None or mailbox.path != command.path:
            continue
        if access.same(login.name, asking.name):
            other.remark(b"* OK [%b] Key of the mailbox is new\r\n" % URLMECH)
    return ok("RESETKEY completed", URLMECH)


async def url_fetch(session: Session, command: UrlFetch) -> Answer:
    """NIL for every URL that cannot be had, whatever the reason."""
    access, asking = _access(session)
    for url, items in command.urls:
        contents: list[UrlContent | None] = []
        try:
            for item in items or (None,):  # all of them, before anything is said
                contents.append(await _opened(access, asking, url, item))
            session.put(b"* URLFETCH " + astring(url))
            for item, content in zip(items or (None,), contents, strict=True):
                await _tell(session, content, item)
            session.put(b"\r\n")
        finally:
            for content in contents:
                if content is not None:
                    await content.close()
        await session.flow()
    return ok("URLFETCH completed")


async def _opened(
    access: UrlAccess, asking: Asking, url: bytes, item: UrlItem | None
) -> UrlContent | None:
    try:
        return await access.content(url, asking, binary=item is UrlItem.BINARY)
    except (BadUrl, UnknownEncoding):
        return None


async def _tell(
    session: Session, content: UrlContent | None, item: UrlItem | None
) -> None:
    start, end = (b" ", b"") if item is None else (b" (%b " % item.value.encode(), b")")
    session.put(start)
    if content is None:
        session.put(b"NIL")
    elif item is UrlItem.STRUCTURE:
        session.put(await content.structure() or b"NIL")
    else:
        await _send(session, content, binary=item is UrlItem.BINARY)
    session.put(end)


async def _send(session: Session, content: UrlContent, *, binary: bool) -> None:
    """A literal; what is short goes as literal8 only if it has to."""
    try:
        piece = await content.read()
    except MailError:  # gone since it was opened
        session.put(b"NIL")
        return
    if len(piece) == content.octets:
        session.put(literal8(piece if binary else without_nul(piece)))
        return
    session.put(b"%b{%d}\r\n" % (b"~" if binary else b"", content.octets))
    sent = 0
    while sent < content.octets:
        session.put(piece if binary else without_nul(piece))
        sent += len(piece)
        await session.flow()
        try:
            piece = await content.read()
        except MailError as fault:
            raise StreamBroken(fault.public) from fault
