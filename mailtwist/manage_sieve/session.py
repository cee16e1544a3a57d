"""What each command does, for one client; knows no transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve, frozen

from ..auth.channel import TlsChannel
from ..auth.login import Authenticator, Login, Peer
from ..errors import BadParameter, MailError, TooManyScripts, UnknownCommand
from ..interfaces import IMailAccount
from ..mailbox.interfaces import IScripts
from ..sieve.compiled import Program
from ..sieve.doubts import doubts
from ..sieve.faults import Fault, Place, ScriptError
from .capability import Circumstances, told
from .engine import Event
from .grammar import (
    Authenticate,
    Capability,
    CheckScript,
    Command,
    DeleteScript,
    GetScript,
    HaveSpace,
    ListScripts,
    Logout,
    Noop,
    PutScript,
    RenameScript,
    ScriptTooLarge,
    SetActive,
    StartTls,
    Unauthenticate,
)
from .response import Reply, literal, string


@frozen
class Offer:
    """What scripts may be: the extensions they may require, how many and how large.

    `check` raises ScriptError, `scripts` finds those of a login."""

    extensions: tuple[str, ...]
    redirects: int
    most_scripts: int
    most_octets: int
    check: Callable[[bytes], Awaitable[Program]]
    scripts: Callable[[IMailAccount], IScripts]


class Session:
    """The commands of one connection; `ask` carries a SASL challenge to the client."""

    def __init__(
        self,
        offer: Offer,
        authenticator: Authenticator,
        peer: Peer,
        *,
        tls_possible: bool,
        ask: Callable[[bytes], Awaitable[bytes]],
    ) -> None:
        self.peer = peer
        self._offer, self._authenticator = offer, authenticator
        self._tls_possible, self._ask = tls_possible, ask
        self._login: Login | None = None

    async def handle(self, command: Event) -> Reply:
        """Do it; raises MailError for what the client is told as NO."""
        match command:
            case MailError():
                raise command
            case Capability():
                return self.capabilities()
            case Noop(None):
                return Reply("OK", "done")
            case Noop(tag):
                return Reply("OK", "done", b"TAG " + string(tag or b""))
            case Logout():
                return Reply("OK", "bye")
            case StartTls():
                return self._start_tls()
            case Authenticate(mechanism, initial):
                return await self._enter(mechanism, initial)
            case Unauthenticate():
                self.close()
                return Reply("OK", "logged out")
        return await self._with_scripts(command)

    # -- before the login -------------------------------------------------------------

    def capabilities(self) -> Reply:
        """RFC 5804 §1.7."""
        now = Circumstances(
            mechanisms=self._authenticator.mechanisms(self.peer),
            extensions=self._offer.extensions,
            redirects=self._offer.redirects,
            tls_possible=self._tls_possible and not self.peer.tls,
            owner="" if self._login is None else self._login.name,
        )
        lines = [
            string(name.encode())
            + (b"" if value is None else b" " + string(value.encode()))
            + b"\r\n"
            for name, value in told(now)
        ]
        return Reply("OK", data=b"".join(lines))

    def _start_tls(self) -> Reply:
        if self.peer.tls:
            raise BadParameter("TLS is active already")
        if not self._tls_possible:
            raise UnknownCommand("TLS is not offered")
        return Reply("OK", "begin TLS now")

    def started_tls(self, channel: TlsChannel) -> None:
        self.peer = evolve(self.peer, tls=True, channel=channel)

    async def _enter(self, mechanism: str, initial: bytes | None) -> Reply:
        self._login = await self._authenticator.login_sasl(
            mechanism, initial, self._ask, self.peer
        )
        return Reply("OK", "logged in")

    def close(self) -> None:
        """Let go of the login."""
        login, self._login = self._login, None
        if login is not None:
            login.logout()

    # -- scripts ----------------------------------------------------------------------

    async def _with_scripts(self, command: Command) -> Reply:
        if self._login is None:
            raise BadParameter("Log in first")
        scripts = self._offer.scripts(self._login.account)
        match command:
            case ListScripts():
                found = await scripts.scripts()
                rows = [
                    string(one.name.encode()) + (b" ACTIVE" if one.active else b"")
                    for one in found
                ]
                return Reply("OK", data=b"".join(row + b"\r\n" for row in rows))
            case GetScript(name):
                octets = await scripts.script(name)
                return Reply("OK", data=literal(octets) + b"\r\n")
            case HaveSpace(name, octets_wanted):
                await self._room(scripts, name, octets_wanted)
            case PutScript(name, octets):
                await self._room(scripts, name, len(octets))
                if not octets:  # RFC 5804 §2.6
                    raise ScriptError(Fault(Place(1, 1), "there is nothing in it"))
                checked = await self._checked(octets)
                await scripts.put_script(name, octets, self._offer.most_scripts)
                return checked
            case CheckScript(octets):
                if len(octets) > self._offer.most_octets:
                    raise ScriptTooLarge()
                return await self._checked(octets)
            case SetActive(name):
                if name is not None:  # an extension may be switched off meanwhile
                    await self._offer.check(await scripts.script(name))
                await scripts.activate_script(name)
            case DeleteScript(name):
                await scripts.remove_script(name)
            case RenameScript(old, new):
                await scripts.rename_script(old, new)
            case _:
                raise UnknownCommand()
        return Reply("OK", "done")

    async def _checked(self, octets: bytes) -> Reply:
        """What is told of a script that can be used; raises ScriptError."""
        program = await self._offer.check(octets)
        found = doubts(program, self._offer.redirects)
        if found:
            return Reply("OK", "\r\n".join(map(str, found)), b"WARNINGS")
        return Reply("OK", "done")

    async def _room(self, scripts: IScripts, name: str, octets: int) -> None:
        """RFC 5804 §2.5; raises ScriptTooLarge, TooManyScripts."""
        if octets > self._offer.most_octets:
            raise ScriptTooLarge()
        names = {one.name for one in await scripts.scripts()}
        if len(names - {name}) >= self._offer.most_scripts:
            raise TooManyScripts()
