"""CAPABILITY, NOOP, LOGOUT, ID, STARTTLS, LOGIN, AUTHENTICATE, ENABLE,
COMPRESS, UNAUTHENTICATE."""

from __future__ import annotations

from attrs import evolve

from ...auth import login as auth
from ...errors import BadParameter
from ..capability import capabilities, enabled
from ..commands import State
from ..events import AuthResponse, Refused
from ..response import Answer, bad, bye, ok, untagged
from ..session import Session
from ..types import (
    Authenticate,
    Capability,
    Check,
    Compress,
    Enable,
    Id,
    Login,
    Logout,
    Noop,
    StartTls,
    Unauthenticate,
)


async def capability(session: Session, command: Capability) -> Answer:
    session.put(untagged(b"CAPABILITY", session.capabilities()))
    return ok("CAPABILITY completed")


async def noop(session: Session, command: Noop | Check) -> Answer:
    """NOOP and CHECK: a look at the mailbox, whatever was told before (§6.1.2)."""
    if session.selected is not None:
        await session.look()
    return ok("NOOP completed" if isinstance(command, Noop) else "CHECK completed")


async def logout(session: Session, command: Logout) -> Answer:
    """LOGOUT (§6.1.3); the mailbox is left without expunging."""
    await session.leave()
    session.put(bye("Logging out"))
    return ok("LOGOUT completed")


async def id_(session: Session, command: Id) -> Answer:
    """ID (RFC 2971); the version is nobody's business before there is a reason."""
    session.put(untagged(b"ID", b'("name" "mailtwist")'))
    return ok("ID completed")


async def start_tls(session: Session, command: StartTls) -> Answer:
    """STARTTLS (§6.2.1): the server starts TLS behind the tagged OK."""
    if not session.starttls:
        raise BadParameter("STARTTLS is not offered here")
    return ok("Begin TLS negotiation now")


async def login(session: Session, command: Login) -> Answer:
    """LOGIN (§6.2.3)."""
    return logged_in(
        session,
        await session.authenticator.login_password(
            command.user, command.password, session.peer
        ),
    )


async def authenticate(session: Session, command: Authenticate) -> Answer:
    """AUTHENTICATE (§6.2.2), with an initial response (RFC 4959) or without."""

    async def converse(challenge: bytes) -> bytes:
        session.put(session.engine.challenge(challenge))
        session.flush()
        while (event := session.engine.next_event()) is None:
            await session.connection.arrived()
        if isinstance(event, AuthResponse):
            return event.octets.reveal()
        if isinstance(event, Refused):  # cancelled, or no base64
            raise event.fault
        raise BadParameter("A SASL response was expected")

    initial = command.initial
    return logged_in(
        session,
        await session.authenticator.login_sasl(
            command.mechanism,
            None if initial is None else initial.reveal(),
            converse,
            session.peer,
        ),
    )


def logged_in(session: Session, login: auth.Login) -> Answer:
    session.login = login
    after = evolve(session.situation(), state=State.AUTHENTICATED)
    return ok("Logged in", b"CAPABILITY " + capabilities(after))


async def enable(session: Session, command: Enable) -> Answer:
    """ENABLE (RFC 5161 §3.1): what is unknown is left out."""
    names = enabled(command.capabilities, session.situation())
    session.put(untagged(b"ENABLED", *(name.encode() for name in names)))
    session.engine.enabled |= {name.upper() for name in names}
    if "CONDSTORE" in names or "QRESYNC" in names:
        session.enable_condstore()
    session.qresync = session.qresync or "QRESYNC" in names
    if session.selected is not None:
        session.selected.uid_only = session.engine.uid_only
        if session.engine.rev2:
            session.selected.forget_recent()
    return ok("ENABLE completed")


async def compress(session: Session, command: Compress) -> Answer:
    """COMPRESS (RFC 4978 §3): the server compresses behind the tagged OK.

    TLS never compresses here: its context does not offer it.
    """
    if not session.config.compress:
        raise BadParameter("Compression is not offered here")
    if session.compressed:
        return bad("DEFLATE is active", b"COMPRESSIONACTIVE")
    session.compressed = True
    return ok("DEFLATE active")


async def unauthenticate(session: Session, command: Unauthenticate) -> Answer:
    """UNAUTHENTICATE (RFC 8437): as a new connection, but for TLS."""
    await session.forget_login()
    return ok("UNAUTHENTICATE completed")
