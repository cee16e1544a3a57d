"""One SMTP or LMTP conversation of the server, without I/O (RFC 5321 §4, RFC 2033).

Octets go in; `next_event` gives one event, then None until it is answered: by `reply`,
`challenge` (AUTH) or `go_on` (content).  So commands are answered in the order in which
they came, however long an answer takes (RFC 2920 §3.2), and octets behind STARTTLS
cannot act inside TLS (RFC 3207 §4.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..address import Address
from ..errors import (
    BadSequence,
    LineTooLong,
    MailError,
    SaslCancelled,
    UnknownCommand,
)
from ..wire import Scanner
from . import grammar, proxied
from .bdat import Chunks, bdat, burl
from .command import (
    Auth,
    AuthResponse,
    Bdat,
    Burl,
    Connected,
    Content,
    Data,
    EndOfChunk,
    EndOfData,
    Etrn,
    Event,
    Hello,
    Mail,
    Offer,
    Quit,
    Rcpt,
    Rset,
    Spoiled,
    StartTls,
    Xclient,
    Xforward,
)
from .data import MOST_TEXT_LINE, DataScanner, LineEnds
from .extensions import mail_keywords, offered, rcpt_keywords
from .faults import (
    BadArgument,
    CommandNotImplemented,
    NoValidRecipients,
    TalkedBeforeGreeting,
    TalkedBehindStartTls,
    WrongProtocol,
)
from .lines import CommandLines
from .plain_commands import PARSERS
from .reply import Replies, Reply

# RFC 5321 §4.5.3.1.4 asks for 512 octets with CRLF, and extensions add to it: SIZE 26,
# BODY 16, AUTH 500 (RFC 4954 §3), SMTPUTF8 10, and to RCPT 500 (RFC 3461 §3).
MOST_COMMAND = 2048

_VERB = re.compile(rb"([A-Za-z0-9]+)(?=[ \t]|\Z)")
_WEB = frozenset(
    b"GET POST PUT HEAD OPTIONS CONNECT PATCH DELETE TRACE PRI".split()
)  # fmt: skip
_HELLO_OF_TLS = b"\x16\x03"
_OBSOLETE = frozenset(b"TURN SEND SOML SAML".split())  # RFC 5321 Appendix F.1, F.6


class SMTPEngine:
    """See the module.  The session sets `offer`, `bare_paths` as the state changes."""

    def __init__(
        self, offer: Offer, *, text_line_octets: int = MOST_TEXT_LINE, lone_lf: bool
    ) -> None:
        self.offer = offer
        self.impatient = False  # it talked when it had to wait for an answer
        self.hello_needed = True  # before MAIL
        self.bare_paths = False  # addresses without brackets are taken
        self.closed = False  # the last reply ended the conversation
        self.recipients = 0  # accepted in this transaction
        self.in_transaction = False
        self._text_line_octets, self._lone_lf = text_line_octets, lone_lf
        self._lines = CommandLines(lone_lf=lone_lf)
        self._asked: Event | None = None
        self._parse: Callable[[bytes], Event | None] = self._command
        self._started = False  # greeted
        self._authenticated = False
        self._scanner: DataScanner | None = None
        self._chunks: Chunks | None = None  # of this transaction, from the first BDAT
        self._fresh: list[bytes] = []  # octets of a message not yet looked at
        self._fresh_octets = 0
        self._spoiled = False
        self._forget()

    @property
    def offer(self) -> Offer:
        """What the client is offered now."""
        return self._offer

    @offer.setter
    def offer(self, offer: Offer) -> None:
        self._offer = offer
        self._mail_keywords = mail_keywords(offer)
        self._rcpt_keywords = rcpt_keywords(offer)

    def _forget(self) -> None:
        """As after the greeting (RFC 3207 §4.2)."""
        self._greeted = self._extended = self._authenticated = False
        self._reset()

    def _reset(self) -> None:
        """No transaction (RFC 5321 §4.1.1.5)."""
        self.in_transaction = self._smtputf8 = self._binary = False
        self.recipients = self._refused = 0
        self._chunks = None

    @property
    def pending(self) -> int:
        """Octets received and not yet acted on."""
        return self._fresh_octets + self._lines.pending

    @property
    def in_data(self) -> bool:
        """True while octets are message content."""
        chunks = self._chunks
        return self._scanner is not None or (chunks is not None and chunks.open)

    @property
    def idle(self) -> bool:
        """True if a command is waited for, and nothing else."""
        return self._asked is None and not self.in_data

    # -- octets in, events out ----------------------------------------------------

    def receive(self, data: bytes) -> None:
        if self.closed:
            return
        if self._scanner is not None:
            self._fresh.append(data)
            self._fresh_octets += len(data)
        else:
            self._lines.feed(data)

    def next_event(self) -> Event | None:
        """The next event, or the fault in it; None while there is nothing to do."""
        if self._asked is not None or self.closed:
            return None
        if self._scanner is not None:
            self._asked = self._content(self._scanner)
        elif self._chunks is not None and self._chunks.open:
            self._asked = self._chunks.next_event(self._lines)
        elif not self._started:
            self._asked = TalkedBeforeGreeting() if self.pending else Connected()
        else:
            try:
                line = self._lines.next_line()
                if line is not None:
                    self._asked = self._parse(line)
                    if self._lines.pending and self._must_wait(self._asked):
                        self.impatient = True
                elif self._lines.starts_with(_HELLO_OF_TLS):
                    self._asked = WrongProtocol("TLS is not expected on this port now")
            except MailError as fault:
                self._asked = fault
        return self._asked

    def _must_wait(self, event: Event | None) -> bool:
        """True if nothing may follow before the answer (RFC 2920 §3.1)."""
        if self._greeted and not self._extended:
            return type(event) is not Quit
        return type(event) in _LAST_OF_GROUP

    def queued_recipients(self, most: int = 100) -> list[Address]:
        """Forward-paths of the RCPT commands that wait next, so that their look-ups may
        start early; nothing is taken and no fault told."""
        found: list[Address] = []
        for line in self._lines.queued(most):
            if line[:4].upper() != b"RCPT":
                break
            try:
                asked = self._rcpt_of(Scanner(line, 4))
            except MailError:
                continue
            found.append(asked.forward_path)
        return found

    def _content(self, scanner: DataScanner) -> Event | None:
        data = b"".join(self._fresh)
        self._fresh.clear()
        self._fresh_octets = 0
        content = scanner.feed(data) if data else b""
        if scanner.ended:
            return EndOfData(content, scanner.fault)
        if content:
            return Content(content)
        if scanner.fault is not None and not self._spoiled:
            self._spoiled = True
            return Spoiled()
        return None

    def _command(self, line: bytes) -> Event | None:
        if len(line) > MOST_COMMAND and line[:4].upper() != b"AUTH":
            raise LineTooLong()
        s = Scanner(line)
        found = s.try_match(_VERB)
        if not found:
            if line.startswith(_HELLO_OF_TLS):
                raise WrongProtocol("TLS is not expected on this port now")
            raise UnknownCommand()
        verb = found[1].upper()
        plain = PARSERS.get(verb)
        if plain is not None:
            return plain(self.offer, s)
        parse = _PARSERS.get(verb)
        if parse is None:
            if verb in _WEB:
                raise WrongProtocol()
            if verb in _OBSOLETE:
                raise CommandNotImplemented()
            raise UnknownCommand()
        return parse(self, s)

    # -- commands -----------------------------------------------------------------

    def _mail(self, s: Scanner) -> Event:
        if self.hello_needed and not self._greeted:
            raise BadSequence(f"Say {'LHLO' if self.offer.lmtp else 'EHLO'} first")
        if self.in_transaction:
            raise BadSequence("A sender was given already")
        keywords = self._mail_keywords if self._extended else _NO_KEYWORDS
        if self._authenticated:
            keywords |= _AUTH
        mail = grammar.mail(s, keywords=keywords, bare_path=self.bare_paths)
        if mail.wishes.body == "BINARYMIME" and not offered("BINARYMIME", self.offer):
            raise BadArgument("BODY is 7BIT or 8BITMIME here")
        return mail

    def _rcpt(self, s: Scanner) -> Event:
        if not self.in_transaction:
            raise BadSequence("Give the sender first: MAIL FROM:<address>")
        if self._chunks is not None:
            raise BadSequence("The message has begun")
        try:
            return self._rcpt_of(s)
        except MailError:
            self._refused += 1
            raise

    def _rcpt_of(self, s: Scanner) -> Rcpt:
        return grammar.rcpt(
            s,
            keywords=self._rcpt_keywords if self._extended else _NO_KEYWORDS,
            bare_path=self.bare_paths,
            smtputf8=self._smtputf8,
        )

    def _data(self, s: Scanner) -> Event:
        grammar.nothing(s)
        if self._chunks is not None:  # RFC 3030 §2
            raise BadSequence("Not after BDAT in the same transaction")
        self._check_recipients()
        if self._binary:  # RFC 3030 §3
            raise BadSequence("A BINARYMIME message comes by BDAT")
        return Data()

    def _check_recipients(self) -> None:
        """Raises the fault of a message that cannot begin now."""
        if not self.in_transaction:
            raise BadSequence("Give the sender first: MAIL FROM:<address>")
        if not self.recipients:
            if self._refused and not self.offer.lmtp:  # 503 in LMTP, RFC 2033 §4.2
                raise NoValidRecipients()
            raise BadSequence("Give a recipient first: RCPT TO:<address>")

    def _bdat(self, s: Scanner) -> Event | None:
        """The octets are read whatever the answer will be (RFC 3030 §2)."""
        chunk = bdat(s)
        chunks, first = self._chunking("CHUNKING", "BDAT")
        chunks.begin(chunk)
        if first and chunks.fault is None:
            return Bdat()
        return chunks.next_event(self._lines)

    def _burl(self, s: Scanner) -> Event:
        """A URL that cannot be read spoils the message as one that cannot be fetched:
        what is pipelined behind it may be the last chunk."""
        chunks, first = self._chunking("BURL", "BURL")
        url, last = b"", False
        try:
            url, last = burl(s)
        except MailError as fault:
            chunks.refuse(BadArgument(fault.public))
        chunks.begin_url(last=last)
        return Burl(url, first and chunks.fault is None)

    def _chunking(self, keyword: str, verb: str) -> tuple[Chunks, bool]:
        """The chunks of this transaction, and whether they begin now."""
        if self._chunks is not None:
            return self._chunks, False
        chunks = self._chunks = Chunks(
            self.offer.size_octets,
            most_line=self._text_line_octets,
            binary=self._binary,
        )
        try:
            if not offered(keyword, self.offer):
                raise CommandNotImplemented(f"{verb} is not offered now")
            self._check_recipients()
        except MailError as fault:
            chunks.refuse(fault)
        return chunks, True

    def url_octets(self, octets: bytes) -> bytes:
        """Octets of the open Burl: the content in them."""
        return b"" if self._chunks is None else self._chunks.url_octets(octets)

    def end_url(self, fault: MailError | None) -> bytes:
        """The open Burl has no more octets: the last of the content."""
        return b"" if self._chunks is None else self._chunks.end_url(fault)

    @property
    def url_fault(self) -> MailError | None:
        """Why no more octets of the open Burl are wanted."""
        return BadSequence() if self._chunks is None else self._chunks.fault

    def _starttls(self, s: Scanner) -> Event:
        if not self.offer.starttls:
            raise CommandNotImplemented("STARTTLS is not offered now")
        if self._lines.pending:  # RFC 3207 §4.2: what was said in clear ends here
            raise TalkedBehindStartTls()
        grammar.nothing(s)
        return StartTls()

    def _auth(self, s: Scanner) -> Event:
        if self._authenticated:
            raise BadSequence("Already authenticated")
        if not self._extended:
            raise BadSequence("Say EHLO first")
        if self.in_transaction:
            raise BadSequence("Not inside a mail transaction")
        return grammar.auth(s)

    def _etrn(self, s: Scanner) -> Event:
        if not offered("ETRN", self.offer):
            raise CommandNotImplemented("ETRN is not offered to you")
        if not self._greeted or self.in_transaction:
            raise BadSequence()
        return grammar.etrn(s)

    def _xclient(self, s: Scanner) -> Event:
        return Xclient(self._attributes(s, "XCLIENT", proxied.XCLIENT))

    def _xforward(self, s: Scanner) -> Event:
        return Xforward(self._attributes(s, "XFORWARD", proxied.XFORWARD))

    def _attributes(
        self, s: Scanner, keyword: str, known: tuple[str, ...]
    ) -> tuple[tuple[str, str | None], ...]:
        if not offered(keyword, self.offer):
            raise CommandNotImplemented(f"{keyword} is for trusted proxies")
        if self.in_transaction:
            raise BadSequence("Not inside a mail transaction")
        return proxied.attributes(s, known)

    def _response(self, line: bytes) -> Event:
        if line == b"*":
            raise SaslCancelled()
        return AuthResponse(grammar.base64(line))

    # -- answers ------------------------------------------------------------------

    def reply(self, reply: Reply | Replies) -> bytes:
        """Octets that answer the last event; the state moves as the reply says."""
        event, self._asked = self._asked, None
        self._parse = self._command
        utf8, kind = self._smtputf8, type(event)
        if kind is EndOfData:
            self._end_data()
        elif kind is EndOfChunk:
            self._end_chunk(refused=reply.code >= 400)
        elif reply.code < 400:
            self._accepted(event)
        elif kind is Rcpt:
            self._refused += 1
        if reply.closes:
            self.close()
        return reply.encode(utf8=utf8)

    def _accepted(self, event: Event | None) -> None:
        match event:
            case Rcpt():
                self.recipients += 1
            case Mail():
                self.in_transaction, self._smtputf8 = True, event.wishes.smtputf8
                self._binary = event.wishes.body == "BINARYMIME"
            case Data():
                self._begin_data()
            case Connected():
                self._started = True
            case Hello():
                self._greeted, self._extended = True, event.extended
                self._reset()
            case Rset():
                self._reset()
            case Auth() | AuthResponse():
                self._authenticated = True
            case StartTls():
                self._forget()
            case Xclient():
                given = dict(event.given)
                self._forget()
                self._authenticated = bool(given.get("LOGIN"))
                if given.get("HELO"):
                    self._greeted = True
                    self._extended = given.get("PROTO") != "SMTP"
            case _:
                pass

    def challenge(self, octets: bytes) -> bytes:
        """The line that carries a SASL challenge; a response is the next event."""
        self._asked, self._parse = None, self._response
        return b"334 " + grammar.encode_base64(octets) + b"\r\n"

    def go_on(self) -> None:
        """The last Bdat, Content or Spoiled was taken."""
        self._asked = None

    def close(self) -> None:
        """Nothing more is read or acted on."""
        self.closed = True
        self._scanner = self._chunks = None
        self._fresh.clear()
        self._fresh_octets = 0
        self._lines.clear()

    def _begin_data(self) -> None:
        ends = LineEnds.STRICT
        if self._lone_lf:
            bare = self._lines.ended_bare
            ends = LineEnds.BARE if bare else LineEnds.NORMALIZE
        self._scanner = DataScanner(
            self.offer.size_octets, most_line=self._text_line_octets, line_ends=ends
        )
        self._spoiled = False
        data = self._lines.take_all()
        if data:
            self.receive(data)

    def _end_data(self) -> None:
        scanner, self._scanner = self._scanner, None
        self._reset()
        if scanner is not None and scanner.rest:
            self._lines.feed(scanner.rest)

    def _end_chunk(self, *, refused: bool) -> None:
        if not self.in_transaction:
            self._chunks = None
        elif self._chunks is not None:
            self._chunks.end()
            if refused:  # RFC 3030 §2: until RSET
                self._chunks.refuse(BadSequence("The message was refused, say RSET"))


_LAST_OF_GROUP = frozenset((Data, Hello, Auth, Etrn))
_NO_KEYWORDS: frozenset[str] = frozenset()
_AUTH = frozenset(("AUTH",))

_PARSERS: dict[bytes, Callable[[SMTPEngine, Scanner], Event | None]] = {
    b"BDAT": SMTPEngine._bdat,
    b"BURL": SMTPEngine._burl,
    b"ETRN": SMTPEngine._etrn,
    b"XCLIENT": SMTPEngine._xclient,
    b"XFORWARD": SMTPEngine._xforward,
    b"MAIL": SMTPEngine._mail,
    b"RCPT": SMTPEngine._rcpt,
    b"DATA": SMTPEngine._data,
    b"STARTTLS": SMTPEngine._starttls,
    b"AUTH": SMTPEngine._auth,
}
