"""One server-side ManageSieve conversation without I/O; used as `pop3.engine`."""

from __future__ import annotations

import binascii
from enum import Enum

from ..errors import (
    BadSequence,
    LineTooLong,
    MailError,
    SaslCancelled,
    SyntaxFault,
)
from .grammar import (
    MOST_LINE,
    Authenticate,
    Capability,
    Command,
    Framer,
    Logout,
    Noop,
    ScriptTooLarge,
    StartTls,
    Unauthenticate,
    parse,
    response,
)
from .response import Reply, string

Event = Command | MailError


class State(Enum):
    """RFC 5804 §2."""

    BEFORE = "not authenticated"
    AFTER = "authenticated"
    OVER = "over"


_BEFORE = (Authenticate, StartTls)
_ALWAYS = (Capability, Logout, Noop)


class ManageSieveEngine:
    """Octets to events, replies to octets; order is right by construction.

    Strangers may send literals as long as lines; the names in a command count beside
    a script of `most_script` octets.
    """

    def __init__(self, most_script: int) -> None:
        self.state = State.BEFORE
        self._framer, self._most_script = Framer(), most_script
        self._asked: Event | None = None

    @property
    def pending(self) -> int:
        """Octets received and not yet acted on."""
        return self._framer.pending

    def receive(self, data: bytes) -> None:
        self._framer.feed(data)

    def next_event(self) -> Event | None:
        """The next command, or the fault in it; None while there is nothing to do,
        while the last one is unanswered, and after LOGOUT."""
        if self._asked is not None or self.state is State.OVER:
            return None
        try:
            octets = self._framer.next_command()
            self._asked = None if octets is None else self._parsed(octets)
        except MailError as fault:
            self._asked = fault
        return self._asked

    def _parsed(self, octets: bytes) -> Command:
        command = parse(octets)
        if not isinstance(command, _ALWAYS):
            before = isinstance(command, _BEFORE)
            if before and self.state is State.AFTER:
                raise BadSequence("Not after the login")
            if not before and self.state is State.BEFORE:
                raise BadSequence("Log in first")
        if isinstance(command, StartTls) and self._framer.pending:
            self._framer.take_all()  # clear text ends here
            raise SyntaxFault("nothing behind STARTTLS", len(octets))
        return command

    def reply(self, reply: Reply) -> bytes:
        """Octets that answer the last event; moves the state."""
        asked, self._asked = self._asked, None
        if isinstance(asked, Logout) or reply.status == "BYE":
            self.state = State.OVER
        elif isinstance(asked, Authenticate) and reply.ok:
            self.state = State.AFTER
            self._framer.allow(self._most_script + MOST_LINE, ScriptTooLarge)
        elif isinstance(asked, Unauthenticate) and reply.ok:
            self.state = State.BEFORE
            self._framer.allow(MOST_LINE, LineTooLong)
        return reply.encode()

    def challenge(self, octets: bytes) -> bytes:
        """A SASL challenge on its way to the client (RFC 5804 §2.1)."""
        return string(binascii.b2a_base64(octets, newline=False)) + b"\r\n"

    def next_response(self) -> bytes | None:
        """The client's answer to a challenge, decoded; None until it is there.

        Raises SaslCancelled, SyntaxFault, LineTooLong: the exchange is over then."""
        octets = self._framer.next_command()
        if octets is None:
            return None
        found = response(octets)
        if found is None:
            raise SaslCancelled()
        return found
