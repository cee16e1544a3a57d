"""The Received field (RFC 5321 §4.4), folded."""

from __future__ import annotations

import re

from attrs import field, frozen

_UNSAFE = re.compile(r"[^\x21-\x7e]|[()<>\\;,\"]")
HIDDEN = "hidden.invalid"  # nobody has a name under .invalid


@frozen
class Hop:
    """What stays the same for the messages of one SMTP session in one state.

    `helo` as the client said it; `client` its address, "" for a local socket, None if
    neither is to be told; `with_protocol` a keyword of `protocol`; `tls` "" or version
    and cipher, `login` "" or the name, both as they are to be told.
    """

    helo: str
    client: str | None
    hostname: str
    with_protocol: str
    tls: str = ""
    login: str = ""
    _front: bytes = field(init=False, repr=False, eq=False)

    @_front.default
    def _fold(self) -> bytes:
        if self.client is None:
            lines = [f"Received: from {HIDDEN}"]
        elif self.client:
            tag = "IPv6:" if ":" in self.client else ""
            lines = [f"Received: from {_safe(self.helo)} ([{tag}{self.client}])"]
        else:
            lines = [f"Received: from {_safe(self.helo)} (local socket)"]
        if self.tls:
            lines.append(f"(using {self.tls})")
        if self.login:
            lines.append(f"(authenticated as {_safe(self.login)})")
        lines.append(f"by {self.hostname} (mailtwist) with {self.with_protocol}")
        return "\r\n\t".join(lines).encode()

    def received(self, message_id: str, date: bytes, recipient: bytes = b"") -> bytes:
        """The field with its CRLF.

        `date` is a date-time (RFC 5322 §3.3); `recipient` is told if there is only one,
        so that nobody else is named.  A client's word cannot add a field of its own.
        """
        path = b"\r\n\tfor <%s>" % recipient if recipient else b""
        number = message_id.encode()
        return b"%s id %s%s;\r\n\t%s\r\n" % (self._front, number, path, date)


def _safe(word: str) -> str:
    return _UNSAFE.sub("?", word) or "unknown"


def protocol(
    *, extended: bool, tls: bool, login: bool, utf8: bool, lmtp: bool = False
) -> str:
    """The keyword behind "with" (RFC 3848, RFC 6531 §4.3)."""
    if not extended:
        return "SMTP"
    name = ("UTF8" if utf8 else "" if lmtp else "E") + ("LMTP" if lmtp else "SMTP")
    return name + ("S" if tls else "") + ("A" if login else "")
