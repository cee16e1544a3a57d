"""One server-side POP3 conversation without I/O.

    engine.receive(octets)
    while (event := engine.next_event()) is not None:
        send(engine.reply(answer(event)))

An answer of several lines is `begin(reply)`, the lines, `end()`.
"""

from __future__ import annotations

import binascii
from enum import Enum

from ..errors import BadSequence, MailError, SaslCancelled, SyntaxFault
from ..wire import LineFramer
from .grammar import (
    MOST_AUTH,
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    Lang,
    ListSizes,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
    parse,
    response,
)
from .response import Reply


class State(Enum):
    """RFC 1939 §3; UPDATE is what QUIT does in TRANSACTION."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"
    OVER = "over"


_BEFORE, _AFTER = frozenset({State.AUTHORIZATION}), frozenset({State.TRANSACTION})

STATES: dict[type[Command], frozenset[State]] = {
    User: _BEFORE,
    Pass: _BEFORE,
    Apop: _BEFORE,
    Auth: _BEFORE,
    Stls: _BEFORE,
    Utf8: _BEFORE,
    Capa: _BEFORE | _AFTER,
    Lang: _BEFORE | _AFTER,
    Quit: _BEFORE | _AFTER,
    Stat: _AFTER,
    ListSizes: _AFTER,
    Uidl: _AFTER,
    Retr: _AFTER,
    Top: _AFTER,
    Dele: _AFTER,
    Rset: _AFTER,
    Noop: _AFTER,
}

Event = Command | MailError


class POP3Engine:
    """Octets to events, replies to octets; order is right by construction.

    `user` is the name of the last USER, until PASS used it; `utf8` is True in UTF-8
    mode (RFC 6856 §2.1).  Lines end with CRLF or LF alone.
    """

    def __init__(self) -> None:
        self.state, self.user, self.utf8 = State.AUTHORIZATION, "", False
        self._framer = LineFramer(MOST_AUTH, lone_lf=True)
        self._asked: Event | None = None

    @property
    def pending(self) -> int:
        """Octets received and not yet acted on."""
        return self._framer.pending

    def receive(self, data: bytes) -> None:
        self._framer.feed(data)

    def next_event(self) -> Event | None:
        """The next command, or the fault in it.

        None while there is nothing to do, while the last one is unanswered, and after
        QUIT.
        """
        if self._asked is not None or self.state is State.OVER:
            return None
        try:
            line = self._framer.next_line()
            self._asked = None if line is None else self._parsed(line)
        except MailError as fault:
            self._asked = fault
        return self._asked

    def _parsed(self, line: bytes) -> Command:
        command = parse(line)
        if self.state not in STATES[type(command)]:
            raise BadSequence()
        if isinstance(command, Pass) and not self.user:
            raise BadSequence("USER first")
        if isinstance(command, Stls):
            if self._framer.pending:  # clear text ends here (RFC 2595 §4)
                self._framer.take_all()
                raise SyntaxFault("nothing behind STLS", len(line))
            if self.utf8:  # RFC 6856 §2.1
                raise BadSequence("STLS comes before UTF8")
        return command

    def reply(self, reply: Reply) -> bytes:
        """Octets that answer the last event in one line."""
        octets = self.begin(reply)
        self.end()
        return octets

    def begin(self, reply: Reply) -> bytes:
        """The status line of an answer whose lines follow; moves the state."""
        asked = self._asked
        if isinstance(asked, User):
            self.user = asked.name if reply.ok else ""
        elif isinstance(asked, Pass | Apop | Auth):
            self.user = ""
            if reply.ok and not (isinstance(asked, Auth) and asked.mechanism is None):
                self.state = State.TRANSACTION
        elif isinstance(asked, Quit):
            self.state = State.OVER
        elif isinstance(asked, Stls) and reply.ok:  # forget what was said in clear
            self.user = ""
        elif isinstance(asked, Utf8) and reply.ok:
            self.utf8 = True
        return reply.encode()

    def end(self) -> None:
        """The answer is complete: the next event may be taken."""
        self._asked = None

    def challenge(self, octets: bytes) -> bytes:
        """The line that carries a SASL challenge (RFC 5034 §4)."""
        return b"+ " + binascii.b2a_base64(octets, newline=False) + b"\r\n"

    def next_response(self) -> bytes | None:
        """The client's answer to a challenge, decoded; None until it is there.

        Raises SaslCancelled, SyntaxFault, LineTooLong: the exchange is over then.
        """
        line = self._framer.next_line()
        if line is None:
            return None
        octets = response(line)
        if octets is None:
            raise SaslCancelled()
        return octets
