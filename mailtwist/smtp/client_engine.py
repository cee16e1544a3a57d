"""One SMTP or LMTP conversation of the client, without I/O (RFC 5321 §4, RFC 2033).

Calls put octets into `output()`; octets received give one event after the other.  The
engine knows which command each reply answers, so a group of commands may go out at once
(RFC 2920 §3.1), and a reply nobody asked for can never be taken for an answer.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections import deque

from attrs import frozen

from ..errors import MailError
from .client_offer import NO_OFFER, PeerOffer, peer_offer
from .client_reply import BadReply, PeerReply, ReplyReader

END_OF_DATA = "end of data"  # what stands in for a command there

_COMMAND = re.compile(rb"[^\r\n\0]+\Z")


# -- what is asked, and what comes of it --------------------------------------------


@frozen
class Transaction:
    """Commands without their line end; with `chunking` the content goes by BDAT.

    With `prdr`, which MAIL said, the server may answer the content for each recipient
    (draft-hall-prdr)."""

    mail: bytes
    recipients: tuple[bytes, ...]
    chunking: bool = False
    prdr: bool = False


@frozen
class Result:
    """What one recipient came to: `fault` None is success, `command` the one whose
    reply decided, `reply` None if there was none."""

    command: str
    reply: PeerReply | None = None
    fault: MailError | None = None

    @property
    def uncertain(self) -> bool:
        """True if the server may have taken the message (RFC 1047)."""
        return self.command == END_OF_DATA and self.reply is None


@frozen
class Ready:
    """EHLO, LHLO or HELO was accepted; `offer` tells the rest."""


@frozen
class TlsReady:
    """The server waits for the handshake; call `tls_started` when it is done."""


@frozen
class Challenge:
    octets: bytes


@frozen
class LoggedIn:
    pass


@frozen
class Refused:
    """A command outside of a transaction was refused; the conversation may go on."""

    command: str
    reply: PeerReply
    fault: MailError


@frozen
class SendContent:
    """Send the content, or the next chunk of it: call `chunk` or `content_sent`."""


@frozen
class Finished:
    """The transaction is over: a result for each recipient in order."""

    results: tuple[Result, ...]


Event = Ready | TlsReady | Challenge | LoggedIn | Refused | SendContent | Finished


class SMTPClientEngine:
    """See the module.  `host` names the server in faults."""

    def __init__(self, host: str, name: str, *, lmtp: bool = False) -> None:
        self.host, self.lmtp = host, lmtp
        self.offer: PeerOffer = NO_OFFER
        self.extended = False  # EHLO was understood
        self.closed = False  # the server ended it, or said what cannot be believed
        self.transactions = 0  # begun
        self.replies = 0  # read
        self.chunked_octets = 0  # of this message's content, told by BDAT
        self._name = name.encode()
        self._reader = ReplyReader()
        self._out: list[bytes] = []
        self._expected: deque[str] = deque(["greeting"])
        self._transaction: Transaction | None = None
        self._results: list[Result | None] = []
        self._accepted: list[int] = []  # recipients the content is for
        self._answered = 0  # recipients that were
        self._in_content = False
        self._each = lmtp  # each recipient has a reply at the end of data
        self._used = False  # a transaction may be open at the server

    # -- octets -------------------------------------------------------------------

    def output(self) -> bytes:
        """What is to be sent now."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def receive(self, data: bytes) -> None:
        if not self.closed:
            self._reader.feed(data)

    @property
    def interrupted(self) -> bool:
        """True if the server talks while the content is on its way."""
        return self._in_content and self._reader.pending > 0

    @property
    def idle(self) -> bool:
        """True if a transaction can begin: no reply is awaited, and none is there that
        the next command could take for its own."""
        waits = self._expected or self._transaction or self._reader.pending
        return not (waits or self.closed)

    def next_event(self) -> Event | None:
        """The next event, None until more octets come.

        Raises BadReply, or the fault of a 421, if no transaction is open; with one
        open it is Finished instead.  `closed` is set then."""
        while not self.closed:
            try:
                told = self._reader.next_reply()
                if told is None:
                    return None
                self.replies += 1
                if told.code == 421:
                    self._say_closed(told)
                event = self._take(told)
            except MailError as fault:
                self.closed = True
                if self._transaction is None:
                    raise
                return self._failed(fault, None)
            if event is not None:
                return event
        return None

    def lost(self, fault: MailError) -> Finished | None:
        """The connection is gone, or is given up, for `fault`."""
        self.closed = True
        if self._transaction is None:
            return None
        return self._failed(fault, None)

    def _say_closed(self, told: PeerReply) -> None:
        """421: the server closes, whatever was asked (RFC 5321 §3.8)."""
        self.closed = True
        command = self._expected[0] if self._expected else "nothing"
        if self._transaction is None:
            raise told.fault(self.host, command)

    def _take(self, told: PeerReply) -> Event | None:
        if self.closed:  # 421 inside a transaction
            command = self._expected[0] if self._expected else END_OF_DATA
            return self._failed(told.fault(self.host, command), told, command)
        if not self._expected:
            return self._unasked(told)
        command = self._expected.popleft()
        match command:
            case "greeting":
                return self._greeted(told)
            case "EHLO" | "LHLO" | "HELO":
                return self._hello(command, told)
            case "STARTTLS":
                return self._starttls(told)
            case "AUTH":
                return self._auth(told)
            case "MAIL":
                return self._mail(told)
            case "RCPT":
                return self._rcpt(told)
            case "DATA":
                return self._data(told)
            case "BDAT":
                return self._bdat(told)
            case "RSET":
                if not told.good:
                    raise told.fault(self.host, "RSET", status="4.5.0")
            case _:
                return self._end(told)
        return None

    def _unasked(self, told: PeerReply) -> Event:
        """A reply to nothing: while content is sent it ends that."""
        self.closed = True
        fault = BadReply("The other host answered what was not asked")
        if not self._in_content:
            raise fault
        if told.code >= 400:
            return self._failed(told.fault(self.host, "DATA"), told, "DATA")
        return self._failed(fault, None, "DATA")

    # -- greeting, TLS, login -------------------------------------------------------

    def _greeted(self, told: PeerReply) -> Event | None:
        if not told.good:
            # RFC 5321 §3.1: 554 may be a passing state of this host; 521 says that
            # it takes no mail, ever (RFC 7504 §3).
            status = "" if told.code in (421, 521) or told.code < 500 else "4.3.2"
            fault = told.fault(self.host, "the connection", status=status)
            self.closed = True
            return Refused("greeting", told, fault)
        self._say_hello()
        return None

    def _say_hello(self) -> None:
        self._command("LHLO" if self.lmtp else "EHLO", self._name)

    def _hello(self, command: str, told: PeerReply) -> Event | None:
        if told.good:
            self.extended = command != "HELO"
            self.offer = peer_offer(told) if self.extended else NO_OFFER
            return Ready()
        if command == "EHLO" and told.code >= 500:  # RFC 5321 §4.1.1.1
            self._command("HELO", self._name)
            return None
        return Refused(command, told, told.fault(self.host, command))

    def starttls(self) -> None:
        self._command("STARTTLS")

    def _starttls(self, told: PeerReply) -> Event:
        if told.code != 220:
            return Refused("STARTTLS", told, told.fault(self.host, "STARTTLS"))
        if self._reader.pending:  # RFC 3207 §4.2: put there by somebody in between
            raise BadReply("Octets came between STARTTLS and the handshake")
        return TlsReady()

    def tls_started(self) -> None:
        """TLS is up: nothing said before counts any more (RFC 3207 §4.2)."""
        if self._reader.pending:
            raise BadReply("Octets came between STARTTLS and the handshake")
        self.offer, self.extended = NO_OFFER, False
        self._say_hello()

    def auth(self, mechanism: str, initial: bytes | None) -> None:
        """RFC 4954 §4; an empty initial response is "="."""
        words = [mechanism.encode()]
        if initial is not None:
            words.append(b64encode(initial) or b"=")
        self._command("AUTH", b" ".join(words))

    def respond(self, octets: bytes | None) -> None:
        """The answer to a challenge; None breaks the exchange off."""
        self._out.append((b"*" if octets is None else b64encode(octets)) + b"\r\n")
        self._expected.append("AUTH")

    def _auth(self, told: PeerReply) -> Event:
        if told.code == 235:
            return LoggedIn()
        if told.code == 334:
            text = told.lines[0].strip()
            try:
                return Challenge(b64decode(text.encode(), validate=True))
            except (Base64Error, ValueError) as bad:
                raise BadReply(
                    "The other host sent a challenge without base64"
                ) from bad
        if told.code < 400:
            raise BadReply()
        return Refused("AUTH", told, told.fault(self.host, "AUTH"))

    # -- transactions ---------------------------------------------------------------

    def begin(self, transaction: Transaction) -> None:
        """Start a transaction; only when `idle`."""
        self._transaction = transaction
        self._results = [None] * len(transaction.recipients)
        self._accepted, self._answered, self.chunked_octets = [], 0, 0
        self._each = self.lmtp
        self.transactions += 1
        if self._used:
            self._command("RSET")
        self._used = True
        self._line("MAIL", transaction.mail)
        if "PIPELINING" in self.offer:
            for recipient in transaction.recipients:
                self._line("RCPT", recipient)
            if not transaction.chunking:
                self._command("DATA")

    def _open(self) -> Transaction:
        if self._transaction is None:
            raise RuntimeError("no transaction is open")
        return self._transaction

    def _mail(self, told: PeerReply) -> Event | None:
        transaction = self._open()
        pipelined = "PIPELINING" in self.offer
        if told.good:
            if not pipelined:
                self._line("RCPT", transaction.recipients[0])
            return None
        result = self._refused("MAIL", told)
        self._results = [result] * len(transaction.recipients)
        return None if pipelined else self._finish()

    def _rcpt(self, told: PeerReply) -> Event | None:
        transaction = self._open()
        number = self._answered
        self._answered += 1
        if told.good:
            if self._results[number] is None:  # else MAIL was refused
                self._accepted.append(number)
        elif self._results[number] is None:
            # RFC 5321 §4.5.3.1.10: 552 is "too many recipients" here
            status = "4.5.3" if told.code == 552 else ""
            self._results[number] = self._refused("RCPT", told, status)
        if self._answered < len(transaction.recipients):
            if "PIPELINING" not in self.offer:
                self._line("RCPT", transaction.recipients[self._answered])
            return None
        if transaction.chunking or "PIPELINING" not in self.offer:
            if not self._accepted:
                return self._finish()
            if transaction.chunking:
                return self._send()
            self._command("DATA")
        return None

    def _data(self, told: PeerReply) -> Event | None:
        if told.code == 354:
            if self._accepted:
                return self._send()
            self._out.append(b".\r\n")  # RFC 2920 §3.1
            if self.lmtp:  # no recipients, no replies (RFC 2033 §4.2)
                return self._finish()
            self._expected.append("empty")
            return None
        if told.code < 400:
            raise BadReply()
        return self._refuse_rest("DATA", told)

    def _send(self) -> Event:
        self._in_content = True
        return SendContent()

    def content_sent(self) -> None:
        """Everything is sent, the final dot too."""
        self._in_content = False
        count = len(self._accepted) if self.lmtp else 1  # RFC 2033 §4.2
        self._expected.extend([END_OF_DATA] * count)
        self._used = False

    def chunk(self, octets: int, *, last: bool) -> bytes:
        """BDAT for a chunk of so many octets, which follow it (RFC 3030 §2)."""
        self.chunked_octets += octets
        return b"BDAT %d LAST\r\n" % octets if last else b"BDAT %d\r\n" % octets

    def chunk_sent(self) -> None:
        """A chunk that is not the last one is sent."""
        self._in_content = False
        self._expected.append("BDAT")

    def _bdat(self, told: PeerReply) -> Event:
        if told.good:
            return self._send()
        return self._refuse_rest("BDAT", told)

    def _end(self, told: PeerReply) -> Event | None:
        if not self._accepted:  # the reply to an empty message, or PRDR's last one
            self._used = not told.good
            return self._finish()
        if told.code == 353 and self._open().prdr and not self._each:
            self._each = True
            self._expected.extend([END_OF_DATA] * (len(self._accepted) + 1))
            return None
        if told.good:
            result = Result(END_OF_DATA, told)
        elif told.code < 400:
            raise BadReply()
        else:
            result = self._refused(END_OF_DATA, told)
        if self._each:
            self._results[self._accepted.pop(0)] = result
            return None if self._expected else self._finish()
        for number in self._accepted:
            self._results[number] = result
        return self._finish()

    def _refused(self, command: str, told: PeerReply, status: str = "") -> Result:
        if told.code < 400:
            raise BadReply()
        return Result(command, told, told.fault(self.host, command, status=status))

    def _refuse_rest(self, command: str, told: PeerReply) -> Event:
        return self._failed(told.fault(self.host, command), told, command)

    def _failed(
        self, fault: MailError, told: PeerReply | None, command: str = ""
    ) -> Finished:
        """Everybody without a result gets `fault`."""
        if not command:
            command = self._expected[0] if self._expected else "DATA"
        result = Result(command, told, fault)
        self._results = [result if one is None else one for one in self._results]
        return self._finish()

    def _finish(self) -> Finished:
        self._transaction, self._in_content = None, False
        missing = Result("RCPT", None, MailError())
        return Finished(tuple(one or missing for one in self._results))

    def quit(self) -> None:
        self._command("QUIT")

    # -- commands out -----------------------------------------------------------------

    def _line(self, command: str, line: bytes) -> None:
        if not _COMMAND.match(line):  # no address or parameter may begin a new line
            raise ValueError("a line end inside of a command")
        self._out.append(line + b"\r\n")
        self._expected.append(command)

    def _command(self, verb: str, argument: bytes = b"") -> None:
        self._line(verb, verb.encode() + b" " + argument if argument else verb.encode())
