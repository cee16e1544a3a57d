"""One server-side SMTP conversation without I/O (RFC 5321 §4.1).

next_event() gives one event, then None until it is answered: pipelined commands
(RFC 2920) are answered in order however long an answer takes, and what stood behind
STARTTLS in clear is never acted on.
"""

from __future__ import annotations

import re
from enum import Enum

from ..errors import BadSequence, MailError
from ..wire import Scanner
from . import grammar
from .command import (
    Auth,
    AuthResponse,
    Connected,
    Content,
    Data,
    EndOfData,
    Event,
    Expn,
    Hello,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Spoiled,
    StartTls,
    Vrfy,
)
from .data import DataScanner, LineEnds
from .faults import (
    CommandNotImplemented,
    NoValidRecipients,
    TalkedBehindStartTls,
    WrongProtocol,
)
from .lines import CommandLines
from .reply import Reply

MOST_COMMAND = 2048  # octets of a command but AUTH; RFC 5321 §4.5.3.1.4 asks for 512
CONTENT_OCTETS = 64 * 1024  # of a message handed out at a time

_VERB = re.compile(rb"[ \t]*([A-Za-z0-9]+)(?=[ \t:]|\Z)")
_OTHER_PROTOCOL = re.compile(
    rb"(?:GET|POST|PUT|HEAD|OPTIONS|CONNECT|TRACE|DELETE|PATCH) \S+ HTTP/|\x16\x03",
    re.I,
)


class State(Enum):
    CONNECTED = "before the greeting"
    GREETED = "before HELO"
    READY = "after HELO"
    MAIL = "after MAIL"
    RCPT = "after RCPT"
    DATA = "in the message"
    AUTH = "in an AUTH exchange"
    OVER = "over"


class SMTPEngine:
    """Octets to events, replies to octets.

    `bare_path` allows addresses without brackets, `line_ends` what may end a line;
    `hello` is the last EHLO or HELO, `mail` the open transaction.
    """

    def __init__(
        self, most_octets: int, *, line_ends: LineEnds = LineEnds.STRICT
    ) -> None:
        self.state = State.CONNECTED
        self.hello: Hello | None = None
        self.mail: Mail | None = None
        self.bare_path = False
        self.auth_known = False  # AUTH= may stand behind MAIL
        self._most_octets, self._line_ends = most_octets, line_ends
        self._lines = CommandLines(lone_lf=line_ends is not LineEnds.STRICT)
        self._asked: Event | None = None
        self._scanner: DataScanner | None = None
        self._spoiled = False

    @property
    def pending(self) -> int:
        """Octets received and not yet acted on."""
        return self._lines.pending

    @property
    def utf8(self) -> bool:
        return self.mail is not None and self.mail.smtputf8

    def receive(self, data: bytes) -> None:
        self._lines.feed(data)

    def next_event(self) -> Event | None:
        """The next thing to answer; None while there is nothing to do."""
        if self._asked is not None or self.state is State.OVER:
            return None
        if self.state is State.CONNECTED:
            self._asked = Connected()
        elif self.state is State.DATA:
            self._asked = self._content()
        else:
            try:
                line = self._lines.next_line()
                self._asked = None if line is None else self._parsed(line)
            except MailError as fault:
                if self.state is State.AUTH:
                    self.state = State.READY
                self._asked = fault
        return self._asked

    def talked_early(self) -> bool:
        """True if the client spoke before the greeting (RFC 5321 §4.3.1)."""
        return self.state is State.CONNECTED and self.pending > 0

    # -- commands -------------------------------------------------------------

    def _parsed(self, line: bytes) -> Event:
        if self.state is State.AUTH:
            return AuthResponse(grammar.auth_response(line))
        found = _VERB.match(line)
        if self.hello is None and _OTHER_PROTOCOL.match(line):
            raise WrongProtocol()
        if not found:
            raise grammar.unknown(line)
        verb = found[1].upper()
        if len(line) > MOST_COMMAND and verb != b"AUTH":
            raise grammar.too_long()
        scanner = Scanner(line, found.end())
        parse = getattr(self, f"_{verb.decode().lower()}", None)
        if parse is None or verb not in VERBS:
            raise grammar.unknown(line)
        event: Event = parse(scanner)
        return event

    def _helo(self, s: Scanner) -> Event:
        return grammar.hello(s, extended=False)

    def _ehlo(self, s: Scanner) -> Event:
        return grammar.hello(s, extended=True)

    def _mail(self, s: Scanner) -> Event:
        if self.state is not State.READY:
            said = self.hello is not None
            raise BadSequence("One MAIL at a time" if said else "Say EHLO first")
        extended = self.hello is not None and self.hello.extended
        return grammar.mail(
            s, extended=extended, bare_path=self.bare_path, auth=self.auth_known
        )

    def _rcpt(self, s: Scanner) -> Event:
        if self.state not in (State.MAIL, State.RCPT):
            raise BadSequence("MAIL first")
        return grammar.rcpt(s, bare_path=self.bare_path, smtputf8=self.utf8)

    def _data(self, s: Scanner) -> Event:
        if self.state is State.MAIL:
            raise NoValidRecipients()
        if self.state is not State.RCPT:
            raise BadSequence("MAIL and RCPT first")
        grammar.nothing(s)
        return Data()

    def _rset(self, s: Scanner) -> Event:
        grammar.nothing(s)
        return Rset()

    def _noop(self, s: Scanner) -> Event:
        return Noop()

    def _quit(self, s: Scanner) -> Event:
        return Quit()

    def _vrfy(self, s: Scanner) -> Event:
        return Vrfy(grammar.string(s))

    def _expn(self, s: Scanner) -> Event:
        return Expn(grammar.string(s))

    def _help(self, s: Scanner) -> Event:
        s.try_match(grammar.SP)
        return Help("" if s.done else s.text[s.at :].decode("ascii", "replace").upper())

    def _starttls(self, s: Scanner) -> Event:
        grammar.nothing(s)
        if self._lines.pending:  # RFC 3207 §4: somebody may have put it there
            self._lines.clear()
            raise TalkedBehindStartTls()
        if self.state in (State.MAIL, State.RCPT):
            raise BadSequence("Not within a mail transaction")
        return StartTls()

    def _auth(self, s: Scanner) -> Event:
        if self.hello is None or not self.hello.extended:
            raise BadSequence("Say EHLO first")
        if self.state is not State.READY:
            raise BadSequence("Not within a mail transaction")
        return grammar.auth(s)

    def _turn(self, s: Scanner) -> Event:
        raise CommandNotImplemented()  # RFC 5321 appendix F.1: must not be supported

    _send = _soml = _saml = _turn  # RFC 5321 appendix F.6

    # -- the message ----------------------------------------------------------

    def _content(self) -> Event | None:
        scanner = self._scanner
        if scanner is None:
            return None
        octets = self._lines.take_all()
        if not octets and not scanner.ended:
            return None
        content = scanner.feed(octets) if not scanner.ended else b""
        if scanner.ended:
            self._lines.feed(scanner.rest)
            return EndOfData(content if not self._spoiled else b"", scanner.fault)
        if scanner.fault is not None and not self._spoiled:
            self._spoiled = True
            return Spoiled()
        return Content(content) if content else None

    def go_on(self) -> None:
        """Content or Spoiled was taken."""
        self._asked = None

    # -- answers --------------------------------------------------------------

    def reply(self, reply: Reply) -> bytes:
        """Octets that answer the last event; moves the state if it succeeded."""
        event, self._asked = self._asked, None
        utf8 = self.utf8
        if reply.closes:
            self.state = State.OVER
        elif isinstance(event, EndOfData):
            self._scanner, self._spoiled = None, False
            self.state, self.mail = State.READY, None
        elif reply.code < 400:
            self._succeeded(event, reply)
        elif isinstance(event, Auth | AuthResponse):
            self.state = State.READY
        return reply.encode(utf8=utf8)

    def _succeeded(self, event: Event | None, reply: Reply) -> None:
        match event:
            case Connected():
                self.state = State.GREETED
            case Hello():
                self.hello, self.state, self.mail = event, State.READY, None
            case Mail():
                self.mail, self.state = event, State.MAIL
            case Rcpt():
                self.state = State.RCPT
            case Data():
                self.state = State.DATA
                self._scanner = DataScanner(
                    self._most_octets, line_ends=self._line_ends
                )
            case Rset():
                self.mail = None
                self.state = State.READY if self.hello else State.GREETED
            case Auth() | AuthResponse():
                self.state = State.AUTH if reply.code == 334 else State.READY
            case Quit():
                self.state = State.OVER
            case StartTls():  # RFC 3207 §4.2: forget what was said before TLS
                self.hello, self.mail, self.state = None, None, State.GREETED
            case _:
                return


VERBS = frozenset(
    b"HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY EXPN HELP STARTTLS AUTH".split()
    + b"TURN SEND SOML SAML".split()
)
