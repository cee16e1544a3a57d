"""What tests say to an engine and hear from it."""

from hypothesis import strategies as st

from mailtwist.config.reading import Imap4
from mailtwist.errors import MailError
from mailtwist.imap4.commands import State
from mailtwist.imap4.engine import IMAP4Engine
from mailtwist.imap4.events import (
    AppendEnd,
    AppendMore,
    AppendOctets,
    AppendStart,
    Asked,
    AuthResponse,
    Continue,
    Refused,
)
from mailtwist.imap4.response import answer_for, ok

SMALL = Imap4(line_octets=1000, literal_octets=1000, message_octets=65536)


def cuts(most=2000):
    """Where a stream is split."""
    return st.lists(st.integers(0, most), max_size=8).map(sorted)


def split(octets, at):
    """`octets` in pieces, cut at each offset of the sorted list `at`."""
    ends = [*at, len(octets)]
    return [octets[a:b] for a, b in zip([0, *at], ends, strict=True)]


def asked(line, *, state=State.SELECTED, config=None):
    """The command of `line` (literals after their markers, no last CRLF).

    Raises its fault.
    """
    engine = IMAP4Engine(config or Imap4(), state=state)
    engine.receive(b"t " + line + b"\r\n")
    event = engine.next_event()
    while isinstance(event, Continue):
        event = engine.next_event()
    if isinstance(event, Refused):
        raise event.fault
    return event.command


def asked_or_refused(line, *, most=100):
    """The command of any `line` at all, None if it is refused with a MailError.

    Where it ends in a literal's marker, octets follow, as a client would send them."""
    engine = IMAP4Engine(Imap4(), state=State.SELECTED)
    engine.receive(b"t " + line + b"\r\n")
    for _ in range(most):
        event = engine.next_event()
        if event is None:
            engine.receive(b"x" * 4096 + b"\r\n")
        elif isinstance(event, Refused):
            assert isinstance(event.fault, MailError), event.fault
            return None
        elif not isinstance(event, Continue):
            return event.command
    raise AssertionError("neither a command nor a fault")


class Conversation:
    """An engine and a server that says OK to everything; `events` is what it saw.

    Octets of one message are joined, as their borders follow the segments.
    """

    def __init__(self, config=SMALL, *, state=State.SELECTED, refuse_appends=False):
        self.engine = IMAP4Engine(config, state=state)
        self.refuse_appends = refuse_appends
        self.events, self.sent = [], b""

    def hear(self, *chunks):
        for chunk in chunks:
            self.engine.receive(chunk)
            self._serve()
        return self

    def _serve(self):
        while (event := self.engine.next_event()) is not None:
            self._note(event)
            self.sent += self._answer(event)

    def _answer(self, event):
        match event:
            case Continue(octets):
                return octets
            case AppendOctets():
                return b""
            case AppendStart() if not self.refuse_appends:
                return self.engine.accept_append()
            case AppendMore():
                return self.engine.accept_append()
            case Asked(row=row) if row.name == "AUTHENTICATE":
                return self.engine.challenge(b"?")
            case AuthResponse():
                return self.engine.finish(ok("Welcome"))
            case Asked(row=row) if row.name == "IDLE":
                return self.engine.start_idle()
            case Refused(fault=fault):
                return self.engine.finish(answer_for(fault))
        return self.engine.finish(ok("Done"))

    def _note(self, event):
        if isinstance(event, AppendOctets):
            if self.events and isinstance(self.events[-1], bytes):
                self.events[-1] += event.octets
            else:
                self.events.append(event.octets)
        elif isinstance(event, Refused):
            self.events.append((event.tag, type(event.fault), event.fatal))
        elif isinstance(event, AppendStart):
            row = event.row.name
            self.events.append((event.tag, row, event.command, event.steps))
        elif isinstance(event, AppendMore | AppendEnd):
            self.events.append((type(event), event.steps))
        elif isinstance(event, Asked):
            self.events.append((event.tag, event.row.name, told(event.command)))
        elif isinstance(event, AuthResponse):
            self.events.append(event.octets.reveal())
        else:
            self.events.append(type(event))


def told(command):
    """`command` as text to compare (a Secret has no equality)."""
    return repr(command)
