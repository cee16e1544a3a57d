"""One server-side IMAP conversation without I/O (RFC 3501 §3, §5.5).

The server does:

    engine.receive(data)
    while (event := engine.next_event()) is not None:
        ...answer it...                       # may be asynchronous
        write(engine.finish(answer))          # for the events that are answered

`next_event` gives None while an answered event is open, so commands are answered in
order however long an answer takes.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable
from enum import Enum, auto

from ..config.reading import Imap4
from ..errors import (
    BadMailboxName,
    BadParameter,
    BadSequence,
    MailError,
    MessageTooBig,
    SyntaxFault,
    UidRequired,
    UnknownCommand,
)
from .commands import COMMANDS, CommandRow, State
from .events import (
    AppendEnd,
    AppendMore,
    AppendOctets,
    AppendStart,
    Asked,
    AuthResponse,
    Continue,
    Event,
    IdleDone,
    Refused,
)
from .framer import (
    TAG,
    Broken,
    CommandFramer,
    Frame,
    MessageHead,
    MessageOctets,
    MessageTail,
    Piece,
    Wanted,
)
from .grammar.append import AppendReader
from .grammar.scanner import CommandScanner
from .grammar.session import base64
from .grammar.strings import atom, end_of_command, sp
from .response import Answer, Kind
from .types_append import Append, MessageStart, Step, TextPart


class _Mode(Enum):
    COMMANDS = auto()
    APPENDING = auto()  # octets of a message
    APPENDED = auto()  # an APPEND that was whole without any
    CHALLENGED = auto()  # a SASL response
    IDLING = auto()


# Where a command leads; what is not here stays.  (after OK, after NO)
_NEXT: dict[str, tuple[State, State | None]] = {
    "LOGIN": (State.AUTHENTICATED, None),
    "AUTHENTICATE": (State.AUTHENTICATED, None),
    "UNAUTHENTICATE": (State.NOT_AUTHENTICATED, None),
    "SELECT": (State.SELECTED, State.AUTHENTICATED),
    "EXAMINE": (State.SELECTED, State.AUTHENTICATED),
    "CLOSE": (State.AUTHENTICATED, None),
    "UNSELECT": (State.AUTHENTICATED, None),
    "LOGOUT": (State.LOGOUT, None),
}

NOTHING_ENABLED: frozenset[str] = frozenset()  # one for all idle sessions


class IMAP4Engine:
    """Octets to events, answers to octets; holds the state of RFC 3501 §3.

    `state` is NOT_AUTHENTICATED, AUTHENTICATED, SELECTED or LOGOUT and moves in
    `finish` alone.  `tls` is True if the connection is private.  `bads` counts BAD
    answers.  `enabled`: what ENABLE switched on, by its names in upper case.
    """

    def __init__(
        self,
        config: Imap4,
        *,
        tls: bool = False,
        state: State = State.NOT_AUTHENTICATED,
    ) -> None:
        self.config, self.tls, self.state, self.bads = config, tls, state, 0
        self.enabled = NOTHING_ENABLED
        self._framer = CommandFramer(config)
        self._mode = _Mode.COMMANDS
        self._open: Event | None = None  # waits for an answer
        self._tag: bytes | None = None
        self._row: CommandRow | None = None
        self._reader: AppendReader | None = None  # of the APPEND under way
        self._message_octets = 0  # announced of the message in hand

    @property
    def rev2(self) -> bool:
        """True if the client speaks IMAP4rev2 (RFC 9051)."""
        return "IMAP4REV2" in self.enabled

    @property
    def utf8_accept(self) -> bool:
        """True if messages with UTF-8 in their headers are shown as they are
        (RFC 6855 §3)."""
        return "UTF8=ACCEPT" in self.enabled

    @property
    def uid_only(self) -> bool:
        """True if message numbers are refused (RFC 9586)."""
        return "UIDONLY" in self.enabled

    @property
    def utf8(self) -> bool:
        """True if names of mailboxes and quoted strings are UTF-8."""
        return self.rev2 or self.utf8_accept

    @property
    def pending(self) -> int:
        """Octets received and not yet acted on; pause the producer above some."""
        return self._framer.pending

    @property
    def idling(self) -> bool:
        """True from start_idle until the end of IDLE: untagged responses may go out."""
        return self._mode is _Mode.IDLING

    def take_pending(self) -> bytes:
        """Octets received and not yet looked at, which are no longer held."""
        return self._framer.take()

    def receive(self, data: bytes) -> None:
        """Take octets; those behind STARTTLS, until `finish`, are dropped."""
        if self.state is State.LOGOUT or self._starting_tls:
            return
        self._framer.feed(data)

    @property
    def _starting_tls(self) -> bool:
        return (
            isinstance(self._open, Asked)
            and self._row is not None
            and self._row.name == "STARTTLS"
        )

    # -- events -----------------------------------------------------------------------

    def next_event(self) -> Event | None:
        """The next thing to do; None until more octets come or `finish` is called."""
        if self._open is not None or self.state is State.LOGOUT:
            return None
        match self._mode:
            case _Mode.CHALLENGED:
                event = self._line_event(self._auth_response)
            case _Mode.IDLING:
                event = self._line_event(self._idle_done)
            case _Mode.APPENDED:
                self._mode = _Mode.COMMANDS
                event = AppendEnd()
            case _:
                piece = self._framer.next_piece()
                event = None if piece is None else self._piece_event(piece)
        if not isinstance(event, Continue | AppendOctets):
            self._open = event
        return event

    def _line_event(self, read: Callable[[bytes], Event]) -> Event | None:
        """A line that is no command; a fault in it ends the command under way."""
        try:
            line = self._framer.next_line()
            if line is None:
                return None
            event = read(line)
        except MailError as fault:
            event = Refused(self._tag, fault)
            self._mode = _Mode.COMMANDS
        return event

    def _auth_response(self, line: bytes) -> Event:
        if line == b"*":
            raise BadParameter("Authentication cancelled")
        self._mode = _Mode.COMMANDS
        return AuthResponse(base64(line))

    def _idle_done(self, line: bytes) -> Event:
        self._mode = _Mode.COMMANDS
        if line.upper() != b"DONE":
            raise SyntaxFault("DONE", 0)
        return IdleDone()

    def _piece_event(self, piece: Piece) -> Event:
        match piece:
            case Wanted():
                return Continue()
            case MessageOctets(octets):
                return AppendOctets(octets)
            case MessageTail(frame):
                self._mode = _Mode.COMMANDS
                return self._append_event(frame, AppendEnd)
            case Broken(tag, fault, fatal):
                if self._mode is not _Mode.APPENDING:
                    self._tag, self._row = tag, None
                self._mode = _Mode.COMMANDS
                return Refused(self._tag, fault, fatal=fatal)
            case MessageHead(frame):
                if self._mode is _Mode.APPENDING:
                    event = self._append_event(frame, AppendMore)
                else:
                    event = self._command_event(frame)
                if isinstance(event, Refused):
                    self._mode = _Mode.COMMANDS
                    self._framer.refuse()
                return event
            case Frame():
                return self._command_event(piece)

    def _append_event(self, frame: Frame, event: type[AppendMore | AppendEnd]) -> Event:
        """An APPEND goes on."""
        if self._reader is None:
            return Refused(self._tag, MailError())
        try:
            return event(self._append_steps(self._scanner(frame), self._reader))
        except MailError as fault:
            return Refused(self._tag, fault)

    def _append_steps(
        self, s: CommandScanner, reader: AppendReader
    ) -> tuple[Step, ...]:
        """Raises MessageTooBig for a message whose literals are over the limit."""
        steps = reader.read(s)
        for step in steps:
            if isinstance(step, MessageStart):
                self._message_octets = 0
            elif isinstance(step, TextPart):
                self._message_octets += step.octets
        if self._message_octets > self.config.message_octets:
            raise MessageTooBig()
        return steps

    def _scanner(self, frame: Frame) -> CommandScanner:
        return CommandScanner(
            frame,
            delimiter=self.config.delimiter,
            utf8=self.utf8,
            uid_only=self.uid_only,
            charsets=not self.utf8_accept,
        )

    def _command_event(self, frame: Frame) -> Asked | AppendStart | Refused:
        """A whole command: its row in the table, the state, then its grammar."""
        self._tag = self._row = None
        s = self._scanner(frame)
        try:
            self._tag = s.match(TAG, "a tag")[0]
            sp(s)
            row = self._row = self._row_of(s)
            self._check(row)
            command = row.grammar(s)
            if isinstance(command, Append):
                self._reader = AppendReader(command)
                steps = self._append_steps(s, self._reader)
                return AppendStart(self._tag, row, command, steps)
            end_of_command(s)
            return Asked(self._tag, row, command)
        except BadMailboxName as fault:
            selects = self._row is not None and self._row.name in ("SELECT", "EXAMINE")
            return Refused(
                self._tag, fault, deselects=selects and self.state is State.SELECTED
            )
        except MailError as fault:
            return Refused(self._tag, fault)

    def _row_of(self, s: CommandScanner) -> CommandRow:
        name = atom(s, "a command").decode().upper()
        if name == "UID":
            sp(s)
            name = "UID " + atom(s, "a command").decode().upper()
            s.uid = True
        row = COMMANDS.get(name)
        if row is None:
            raise UnknownCommand()
        return row

    def _check(self, row: CommandRow) -> None:
        if self.state not in row.states:
            if self.state is State.NOT_AUTHENTICATED:
                raise BadSequence("Log in first")
            if State.SELECTED in row.states:
                raise BadSequence("Select a mailbox first")
            raise BadSequence("Already logged in")
        if self.uid_only and row.by_number:
            raise UidRequired()
        if row.name == "COMPRESS" and self._framer.pending:  # RFC 4978 §3
            raise BadSequence("Wait for the answer to COMPRESS")
        if row.name == "STARTTLS":
            if self.tls:
                raise BadSequence("TLS is active already")
            if self._framer.pending:  # RFC 3207 §4.2 says why: clear text ends here
                self._framer.drop()
                raise SyntaxFault("nothing after STARTTLS", 0)

    # -- answers ----------------------------------------------------------------------

    def finish(self, answer: Answer) -> bytes:
        """The tagged line that ends the open event; moves the state.

        OK of LOGIN and AUTHENTICATE: AUTHENTICATED.  OK of SELECT and EXAMINE:
        SELECTED; NO of them: AUTHENTICATED.  OK of CLOSE and UNSELECT: AUTHENTICATED.
        OK of UNAUTHENTICATE: NOT_AUTHENTICATED, and nothing is enabled.  OK of LOGOUT:
        LOGOUT.  OK of STARTTLS: `tls` is True; write, then start TLS at
        once.  While the octets of an APPEND come it may be called too, with NO: the
        rest of them is skipped.
        """
        event, self._open = self._open, None
        appends = isinstance(event, AppendStart | AppendMore)
        if appends or self._mode is _Mode.APPENDING:
            self._framer.refuse()
        self._mode = _Mode.COMMANDS
        if answer.kind is Kind.BAD:
            self.bads += 1
        if isinstance(event, Refused):
            if event.deselects:
                self.state = State.AUTHENTICATED
            if event.fatal:
                self.state = State.LOGOUT
        elif self._row is not None:
            self._move(self._row.name, answer.kind)
        return answer.encode(self._tag if self._tag is not None else b"*")

    def _move(self, name: str, kind: Kind) -> None:
        if name == "STARTTLS" and kind is Kind.OK:
            self.tls = True
            self._framer.drop()
        if name == "UNAUTHENTICATE" and kind is Kind.OK:
            self.enabled = NOTHING_ENABLED
        after_ok, after_no = _NEXT.get(name, (self.state, None))
        if kind is Kind.OK:
            self.state = after_ok
        elif kind is Kind.NO and after_no is not None:
            self.state = after_no

    def accept_append(self) -> bytes:
        """Take what the open AppendStart or AppendMore announces: octets to write, b""
        if none."""
        event, self._open = self._open, None
        steps = event.steps if isinstance(event, AppendStart | AppendMore) else ()
        if not steps or not isinstance(steps[-1], TextPart):
            self._mode = _Mode.APPENDED
            return b""
        self._mode = _Mode.APPENDING
        return Continue().octets if self._framer.accept() else b""

    def challenge(self, octets: bytes) -> bytes:
        """ "+ " with `octets` in base64, for an open AUTHENTICATE or AuthResponse.

        The next event is AuthResponse, or Refused if the client cancelled with "*" or
        sent no base64 (RFC 3501 §6.2.2)."""
        self._open, self._mode = None, _Mode.CHALLENGED
        return b"+ %b\r\n" % b2a_base64(octets, newline=False)

    def start_idle(self) -> bytes:
        """The continuation that starts an open IDLE; next is IdleDone or Refused."""
        self._open, self._mode = None, _Mode.IDLING
        return b"+ idling\r\n"
