"""MAIL and RCPT with their parameters as a client says them (RFC 5321 §4.1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..address import Address
from ..delivery.model import Notify

_NOT_XCHAR = re.compile(rb"[^!-*,-<>-~]")
_NOT_PRINTABLE_ASCII = re.compile(r"[^!-*,-\[\]-~]")
_NOTIFY_ORDER = ("NEVER", "SUCCESS", "FAILURE", "DELAY")


def xtext(octets: bytes) -> bytes:
    """RFC 3461 §4: what is not printable, and "+" and "=", in hexadecimal."""
    return _NOT_XCHAR.sub(lambda found: b"+%02X" % found[0][0], octets)


def mail(
    reverse_path: Address | None, parameters: Iterable[bytes], *, utf8: bool
) -> bytes:
    """MAIL FROM, the null path for None."""
    path = b"" if reverse_path is None else reverse_path.encode(utf8=utf8)
    return b" ".join((b"MAIL FROM:<%s>" % path, *parameters))


def rcpt(forward_path: Address, parameters: Iterable[bytes], *, utf8: bool) -> bytes:
    """RCPT TO."""
    path = forward_path.encode(utf8=utf8)
    return b" ".join((b"RCPT TO:<%s>" % path, *parameters))


def notify_parameters(
    notify: Notify, original: Address, *, utf8: bool
) -> Iterable[bytes]:
    """NOTIFY and ORCPT (RFC 3461 §4.1, §4.2).

    Where the sender gave no ORCPT the address of RCPT stands for it, so that a report
    from further on can name what the sender knows."""
    if notify.when:
        words = [word for word in _NOTIFY_ORDER if word in notify.when]
        yield b"NOTIFY=" + ",".join(words).encode()
    orcpt = notify.orcpt
    if not orcpt:
        kind = "rfc822" if original.ascii else "utf-8"
        said = original.encode(utf8=not original.ascii).decode()
        orcpt = f"{kind};{said}"
    kind, _, address = orcpt.partition(";")
    if kind.lower() == "utf-8" or not address.isascii():
        yield b"ORCPT=utf-8;" + _utf8_address(address, utf8=utf8)
    else:
        yield b"ORCPT=" + kind.encode() + b";" + xtext(address.encode())


def _utf8_address(address: str, *, utf8: bool) -> bytes:
    """utf-8-addr-unitext where the next hop reads UTF-8, else utf-8-addr-xtext
    (RFC 6533 §3)."""

    def embedded(found: re.Match[str]) -> str:
        if utf8 and not found[0].isascii():
            return found[0]
        return f"\\x{{{ord(found[0]):02X}}}"

    return _NOT_PRINTABLE_ASCII.sub(embedded, address).encode()
