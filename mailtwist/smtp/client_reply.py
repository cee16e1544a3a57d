"""Replies of a server as a client reads them (RFC 5321 §4.2, RFC 2034 §4)."""

from __future__ import annotations

import re

from attrs import frozen

from ..errors import MailError

# RFC 5321 §4.5.3.1.5 says 512 octets; EHLO and long-winded policies go beyond it.
MOST_LINE = 4096
MOST_LINES = 200
MOST_TOLD = 1000  # characters of a reply that are kept for reports and logs

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\r?\Z")
_STATUS = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?=[ \t]|\Z)[ \t]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")

# What a reply without an enhanced status says (RFC 5321 §4.2.3, RFC 7504 §3).
_STATUS_OF = {
    421: "4.3.2",
    450: "4.2.0",
    451: "4.3.0",
    452: "4.3.1",
    454: "4.7.0",
    500: "5.5.2",
    501: "5.5.4",
    502: "5.5.1",
    503: "5.5.1",
    504: "5.5.4",
    521: "5.3.2",
    530: "5.7.0",
    534: "5.7.9",
    535: "5.7.8",
    538: "5.7.11",
    551: "5.1.6",
    552: "5.2.2",
    553: "5.1.3",
    555: "5.5.4",
    556: "5.1.10",
}


class BadReply(MailError):
    """What the server sent is no reply; nothing more of it can be believed."""

    status, public = "4.5.0", "The other host does not speak SMTP"


class PeerRefusal(MailError):
    """What another host refused; `reply` is its own words."""

    def __init__(self, public: str, *, status: str, reply: str) -> None:
        super().__init__(public, status=status)
        self.reply = reply


@frozen
class PeerReply:
    """One whole reply: `status` is the RFC 3463 code, "" if it had none; `lines` its
    text without code and status, control characters replaced."""

    code: int
    status: str
    lines: tuple[str, ...]

    @property
    def good(self) -> bool:
        return self.code < 300

    def __str__(self) -> str:
        """Its own words on one line, for reports and logs."""
        status = f"{self.status} " if self.status else ""
        text = " ".join(line for line in self.lines if line)
        return f"{self.code} {status}{text}".rstrip()[:MOST_TOLD]

    def fault(self, host: str, command: str, *, status: str = "") -> PeerRefusal:
        """The fault of a refusal by `host` in answer to `command`.

        `status` overrides what the reply says; else a status that contradicts the code
        gives way to the code (RFC 2034 §4).
        """
        wanted = "4" if self.code < 500 else "5"
        if not status:
            status = self.status
            if not status.startswith(wanted):
                status = _STATUS_OF.get(self.code, f"{wanted}.0.0")
        said = str(self)
        plain = said.encode("ascii", "replace").decode()
        return PeerRefusal(
            f"{host} answered {command} with: {plain}", status=status, reply=said
        )


class ReplyReader:
    """Octets in, whole replies out; any split of the octets gives the same replies."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._code = 0  # of the lines that wait for their last one
        self._status = ""
        self._lines: list[str] = []

    @property
    def pending(self) -> int:
        """Octets and lines received that no reply was made of."""
        return len(self._rest) + len(self._lines)

    def feed(self, data: bytes) -> None:
        self._rest += data

    def next_reply(self) -> PeerReply | None:
        """The next reply, None until more octets come; raises BadReply."""
        rest = self._rest
        while (end := rest.find(b"\n")) >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            if self._take(line):
                told = PeerReply(self._code, self._status, tuple(self._lines))
                self._code, self._status, self._lines = 0, "", []
                return told
        if len(rest) > MOST_LINE:
            raise BadReply("The other host sent a reply line without an end")
        return None

    def _take(self, line: bytes) -> bool:
        """True if `line` is the last of a reply."""
        found = _LINE.match(line)
        if not found or len(line) > MOST_LINE:
            raise BadReply()
        code = int(found[1])
        if self._lines and code != self._code:  # RFC 5321 §4.2.1: all the same
            raise BadReply("The other host sent a reply with two codes")
        if len(self._lines) >= MOST_LINES:
            raise BadReply(f"The other host sent a reply of over {MOST_LINES} lines")
        text = (found[3] or b"").decode("utf-8", "replace")
        status = _STATUS.match(text) if code // 100 != 3 else None
        if status:
            if not self._lines:
                self._status = status[0].rstrip()
            text = text[status.end() :]
        self._code = code
        self._lines.append(_CONTROL.sub("?", text))
        return found[2] != b"-"
