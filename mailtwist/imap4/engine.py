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

from ..config.model import Imap4
from .commands import State
from .events import Event
from .response import Answer


class IMAP4Engine:
    """Octets to events, answers to octets; holds the state of RFC 3501 §3.

    `state` is NOT_AUTHENTICATED, AUTHENTICATED, SELECTED or LOGOUT and moves in
    `finish` alone.  `tls` is True if the connection is private.  `bads` counts BAD
    answers.
    """

    def __init__(
        self,
        config: Imap4,
        *,
        tls: bool = False,
        state: State = State.NOT_AUTHENTICATED,
    ) -> None:
        self.config, self.tls, self.state, self.bads = config, tls, state, 0

    @property
    def pending(self) -> int:
        """Octets received and not yet acted on; pause the producer above some."""

    @property
    def idling(self) -> bool:
        """True from start_idle until the end of IDLE: untagged responses may go out."""

    def receive(self, data: bytes) -> None:
        """Take octets; those behind STARTTLS, until `finish`, are dropped."""

    def next_event(self) -> Event | None:
        """The next thing to do; None until more octets come or `finish` is called."""

    def finish(self, answer: Answer) -> bytes:
        """The tagged line that ends the open event; moves the state.

        OK of LOGIN and AUTHENTICATE: AUTHENTICATED.  OK of SELECT and EXAMINE:
        SELECTED; NO of them: AUTHENTICATED.  OK of CLOSE and UNSELECT: AUTHENTICATED.
        OK of LOGOUT: LOGOUT.  OK of STARTTLS: `tls` is True; write, then start TLS at
        once.
        """

    def accept_append(self) -> bytes:
        """Take the message of the open AppendStart: octets to write, b"" if none."""

    def challenge(self, octets: bytes) -> bytes:
        """ "+ " with `octets` in base64, for an open AUTHENTICATE.

        The next event is AuthResponse, or Refused if the client cancelled with "*" or
        sent no base64 (RFC 3501 §6.2.2)."""

    def start_idle(self) -> bytes:
        """The continuation that starts an open IDLE; next is IdleDone or Refused."""
