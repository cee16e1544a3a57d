"""A client of IMAP servers (RFC 3501, RFC 9051): commands in, answers out.

Commands are sent one behind the other without waiting, but for a literal that the
server has to agree to, and a command that asked to be alone.  Untagged answers belong
to the first command that has no tagged one yet.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections import deque
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ..errors import MailError, OverQuota, SyntaxFault
from ..sasl.client_mechanisms import Conversation
from .client_answer import Answers, code_of

IDLE_S = 300.0  # without one octet of a server that has something to say


class ServerGone(MailError):
    status, public = "4.4.2", "The connection to the other server was lost"


class ServerRefuses(MailError):
    """NO or BAD, in the server's words."""

    status = "4.3.0"

    def __init__(self, text: bytes) -> None:
        self.code, _ = code_of(text)
        said = text.decode("ascii", "replace")
        said = "".join(c if c.isascii() and c.isprintable() else "?" for c in said)
        super().__init__(f"The other server says: {said[:300]}")


@frozen
class Literal:
    """Octets that follow a command's line."""

    octets: bytes = field(repr=False)


@frozen
class Done:
    """A command that was done: its untagged answers, without "* ", and its OK."""

    untagged: list[bytes]
    text: bytes


@define(eq=False)
class _Command:
    tag: bytes
    parts: deque[bytes | Literal]
    done: Deferred[Done] = field(factory=Deferred)
    untagged: list[bytes] = field(factory=list)
    conversation: Conversation | None = None
    sent: bool = False


class IMAPClient(Protocol):
    """One connection; `greeted` fires with the greeting's text."""

    transport: Any

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._answers = Answers()
        self._tags = 0
        self._waiting: deque[_Command] = deque()  # that are not sent wholly
        self._asked: deque[_Command] = deque()  # that are not answered
        self._halted = False  # until the server agrees to a literal
        self._timeout: IDelayedCall | None = None
        self._lost: MailError | None = None
        self.greeted: Deferred[bytes] = Deferred()
        self.capabilities: frozenset[str] = frozenset()

    @property
    def lost(self) -> bool:
        """True if nothing can be asked any more."""
        return self._lost is not None

    # -- asking ---------------------------------------------------------------

    def command(self, *parts: bytes | Literal) -> Deferred[Done]:
        """Ask; spaces between parts are the caller's.  Fails with ServerRefuses,
        OverQuota, ServerGone."""
        return self._begin(deque(parts))

    def _begin(
        self, parts: deque[bytes | Literal], conversation: Conversation | None = None
    ) -> Deferred[Done]:
        self._tags += 1
        command = _Command(b"m%d" % self._tags, parts, conversation=conversation)
        if self._lost is not None:
            command.done.errback(self._lost)
            return command.done
        parts.appendleft(command.tag + b" ")
        parts.append(b"\r\n")
        self._waiting.append(command)
        self._asked.append(command)
        self._send()
        self._alive()
        return command.done

    def _send(self) -> None:
        """As far as the server lets us."""
        if self._halted:
            return
        out: list[bytes] = []
        while self._waiting:
            command = self._waiting[0]
            while command.parts:
                part = command.parts.popleft()
                if isinstance(part, bytes):
                    out.append(part)
                    continue
                mark, waits = self._announced(part.octets)
                out.append(mark)
                command.parts.appendleft(part.octets)
                if waits:
                    self._halted = True
                    self.transport.write(b"".join(out))
                    return
            self._waiting.popleft()
            if command.conversation is not None:
                break  # what comes next is the conversation's
        if out:
            self.transport.write(b"".join(out))

    def _announced(self, octets: bytes) -> tuple[bytes, bool]:
        """How a literal begins, and whether the server has to say yes (RFC 7888)."""
        binary = b"~" if b"\0" in octets and "BINARY" in self.capabilities else b""
        known = self.capabilities
        if "LITERAL+" in known or ("LITERAL-" in known and len(octets) <= 4096):
            return b"%s{%d+}\r\n" % (binary, len(octets)), False
        return b"%s{%d}\r\n" % (binary, len(octets)), True

    async def authenticate(self, mechanism: str, conversation: Conversation) -> None:
        """RFC 3501 §6.2.2, with SASL-IR where the server has it."""
        line = b"AUTHENTICATE " + mechanism.encode()
        initial = conversation.initial
        if initial is not None and "SASL-IR" in self.capabilities:
            line += b" " + (b64encode(initial) or b"=")
            initial = None
        talk = _Talk(conversation, initial)
        done = await self._begin(deque([line]), talk)
        conversation.done()
        await self.learn(done.text)

    async def learn(self, text: bytes = b"") -> None:
        """The capabilities: what `text` says of them, or what the server does."""
        code, told = code_of(text)
        if code != b"CAPABILITY":
            done = await self.command(b"CAPABILITY")
            told = b" ".join(
                line[10:]
                for line in done.untagged
                if line[:11].upper() == b"CAPABILITY "
            )
        self.capabilities = frozenset(told.decode("ascii", "replace").upper().split())

    async def start_tls(self, tls: Any) -> None:
        """RFC 3501 §6.2.1; `tls.checked` judges the certificate.  What the server said
        before is forgotten."""
        await self.command(b"STARTTLS")
        self._answers = Answers()
        self.secure(tls)

    def secure(self, tls: Any) -> None:
        """Begin TLS at once; judged when the first octets came."""
        self.transport.startTLS(tls)
        self.capabilities = frozenset()
        self._tls = tls

    _tls: Any = None

    # -- hearing --------------------------------------------------------------

    def connectionMade(self) -> None:
        self._alive()

    def dataReceived(self, data: bytes) -> None:
        try:
            if self._tls is not None:
                tls, self._tls = self._tls, None
                tls.checked(self.transport.getHandle())
            answers = self._answers
            for answer in answers.take(data):
                if self._answers is not answers:
                    break  # in clear text, behind the OK to STARTTLS
                self._answered(answer)
        except SyntaxFault:
            self._fail(MailError("The other server does not speak IMAP"))
        except MailError as fault:
            self._fail(fault)
        self._alive()

    def _answered(self, answer: bytes) -> None:
        if answer.startswith(b"* "):
            self._untagged(answer[2:])
        elif answer.startswith(b"+"):
            self._continued(answer[2:])
        else:
            self._tagged(answer)

    def _untagged(self, text: bytes) -> None:
        if not self.greeted.called:
            word = text.partition(b" ")[0].upper()
            if word in (b"OK", b"PREAUTH"):
                self.greeted.callback(text)
            else:
                self._fail(ServerRefuses(text))
        elif self._asked:
            self._asked[0].untagged.append(text)

    def _continued(self, text: bytes) -> None:
        command = self._asked[0] if self._asked else None
        if command is not None and command.conversation is not None:
            try:
                said = command.conversation.respond(b64decode(text, validate=True))
            except (BadBase64, MailError):
                self.transport.write(b"*\r\n")
                return
            self.transport.write(b64encode(said) + b"\r\n")
        elif self._halted:
            self._halted = False
            self._send()

    def _tagged(self, answer: bytes) -> None:
        tag, _, rest = answer.partition(b" ")
        if not self._asked or self._asked[0].tag != tag:
            raise SyntaxFault("the answer to what was asked", 0)
        command = self._asked.popleft()
        if self._waiting and self._waiting[0] is command:
            self._waiting.popleft()  # refused before its literal
            self._halted = False
        word, _, text = rest.partition(b" ")
        if word.upper() == b"OK":
            command.done.callback(Done(command.untagged, text))
        elif code_of(text)[0] == b"OVERQUOTA":
            command.done.errback(OverQuota())
        else:
            command.done.errback(ServerRefuses(text))
        self._send()

    # -- the end --------------------------------------------------------------

    def _alive(self) -> None:
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        self._timeout = None
        if self._lost is None and (self._asked or not self.greeted.called):
            self._timeout = self._reactor.callLater(IDLE_S, self._fail, ServerGone())

    def _fail(self, fault: MailError) -> None:
        if self._lost is None:
            self._lost = fault
            self.transport.abortConnection()
            self._end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._lost is None:
            self._lost = ServerGone()
        self._end()

    def _end(self) -> None:
        self._alive()
        fault = self._lost or ServerGone()
        asked, self._asked = self._asked, deque()
        self._waiting.clear()
        for command in asked:
            command.done.errback(fault)
        if not self.greeted.called:
            self.greeted.errback(fault)

    async def log_out(self) -> None:
        """Say goodbye; returns when the server did, or is gone."""
        try:
            await self.command(b"LOGOUT")
        except MailError:
            return
        finally:
            self.transport.loseConnection()


class _Talk:
    """A conversation whose first words wait for the server's empty challenge."""

    def __init__(self, conversation: Conversation, initial: bytes | None) -> None:
        self._inner, self.initial = conversation, initial

    def respond(self, challenge: bytes) -> bytes:
        if self.initial is not None:
            initial, self.initial = self.initial, None
            return initial
        return self._inner.respond(challenge)

    def done(self) -> None:
        self._inner.done()
