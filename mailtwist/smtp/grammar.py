"""Command arguments of SMTP as functions named for their ABNF rules.

RFC 5321 §4.1.2, RFC 6531 §3.3, RFC 1870 §4, RFC 6152, RFC 4954 §4 and §8.  A Scanner
stands behind the verb; every function raises a MailError that says what was expected.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache

from ..address import MOST_PATH, Address
from ..errors import (
    BadAddress,
    LineTooLong,
    MailError,
    SaslCancelled,
    SyntaxFault,
    UnknownCommand,
)
from ..wire import Scanner
from .command import Auth, Hello, Mail, Rcpt
from .faults import BadArgument, ParameterNotKnown, Utf8Needed

SP = re.compile(rb"[ \t]+")
_FROM = re.compile(rb"[ \t]+from[ \t]*:[ \t]*", re.I)
_TO = re.compile(rb"[ \t]+to[ \t]*:[ \t]*", re.I)
_DOMAIN = re.compile(rb"[ \t]+([^\x00-\x20\x7f]{1,255})")
_SOURCE_ROUTE = re.compile(rb"@[^<>@:,\s]+(?:,@[^<>@:,\s]+)*:")
_MAILBOX = re.compile(
    rb'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"|[^\x00-\x20\x7f"<>()\[\]:;,@\\]+)'
    rb"(?:@(?:\[[^\x00-\x20\x7f\[\]<>]+\]|[^\x00-\x20\x7f\"<>()\[\]:;,@\\]+))?"
)
_KEYWORD = re.compile(
    rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20\x7f=]+))?(?=[ \t]|\Z)"
)
_NUMBER = re.compile(rb"[0-9]{1,20}\Z")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_HEXCHAR = re.compile(rb"\+([0-9A-F]{2})")
_MECHANISM = re.compile(rb"[ \t]+([A-Za-z0-9_-]{1,20})(?=[ \t]|\Z)")
_BASE64 = re.compile(
    rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z"
)
_STRING = re.compile(rb"[ \t]+([^\x00-\x1f\x7f]+)")

BAD_SENDER, BAD_RECIPIENT = "5.1.7", "5.1.3"  # RFC 3463 §3.2


def nothing(s: Scanner) -> None:
    """No argument; white space at the end is tolerated (RFC 5321 §4.1.1)."""
    s.try_match(SP)
    if not s.done:
        raise BadArgument("This command takes no argument")


def hello(s: Scanner, *, extended: bool) -> Hello:
    """Domain / address-literal (RFC 5321 §4.1.1.1).

    What many clients say is no valid domain, and mail must not be refused for it
    (§4.1.4): any word of printable characters is taken.
    """
    found = s.try_match(_DOMAIN)
    if not found:
        raise BadArgument("Say your name: EHLO host.example")
    s.try_match(SP)
    if not s.done:
        raise BadArgument("One name, please: EHLO host.example")
    return Hello(found[1].decode("utf-8", "replace"), extended)


def mail(s: Scanner, *, extended: bool, bare_path: bool, auth: bool) -> Mail:
    """ "FROM:" Reverse-path [SP Mail-parameters].

    `extended` after EHLO; `bare_path` allows an address without brackets; `auth` if
    AUTH is offered or done.  Raises BadAddress, ParameterNotKnown, BadArgument,
    Utf8Needed, SyntaxFault.
    """
    s.match(_FROM, "FROM:<address>")
    raw = path(s, bare_path=bare_path, status=BAD_SENDER)
    values = parameters(s)
    if values and not extended:
        raise ParameterNotKnown("Parameters need EHLO")
    size_octets = size(values.pop("SIZE")) if "SIZE" in values else None
    body_type = body(values.pop("BODY")) if "BODY" in values else "7BIT"
    smtputf8 = "SMTPUTF8" in values
    if smtputf8 and values.pop("SMTPUTF8"):
        raise BadArgument("SMTPUTF8 takes no value")
    identity = xtext(values.pop("AUTH")) if auth and "AUTH" in values else None
    _none_left(values)
    _check_utf8(raw, smtputf8)
    reverse_path = mailbox(raw, BAD_SENDER) if raw else None
    if reverse_path is not None and not reverse_path.domain:
        raise BadAddress("Sender address needs a domain", status=BAD_SENDER)
    return Mail(reverse_path, size_octets, body_type, smtputf8, identity)


def rcpt(s: Scanner, *, bare_path: bool, smtputf8: bool) -> Rcpt:
    """ "TO:" Forward-path; no parameters are known.

    Only postmaster may stand without a domain (RFC 5321 §4.5.1).
    """
    s.match(_TO, "TO:<address>")
    raw = path(s, bare_path=bare_path, status=BAD_RECIPIENT)
    if not raw:
        raise BadAddress("Recipient address is empty", status=BAD_RECIPIENT)
    _none_left(parameters(s))
    _check_utf8(raw, smtputf8)
    forward_path = mailbox(raw, BAD_RECIPIENT)
    if not forward_path.domain and forward_path.local_part.lower() != "postmaster":
        raise BadAddress("Recipient address needs a domain", status=BAD_RECIPIENT)
    return Rcpt(forward_path)


def path(s: Scanner, *, bare_path: bool, status: str) -> bytes:
    """Path without its brackets; a source route is read over (RFC 5321 §4.1.1.3)."""
    bracketed = s.skip(b"<")
    if not bracketed and not bare_path:
        raise SyntaxFault("an address in < and >", s.at)
    if bracketed and s.skip(b">"):
        return b""
    s.try_match(_SOURCE_ROUTE)
    found = s.try_match(_MAILBOX)
    if not found or len(found[0]) > MOST_PATH - 2:
        raise BadAddress("Bad address syntax", status=status)
    if bracketed:
        s.expect(b">", "> behind the address")
    return found[0]


@lru_cache(maxsize=1024)
def mailbox(raw: bytes, status: str) -> Address:
    """Mailbox (RFC 5321 §4.1.2); the same few addresses come again and again."""
    try:
        return Address.parse(raw.decode())
    except UnicodeDecodeError as fault:
        raise BadAddress("Address is not UTF-8", status=status) from fault
    except BadAddress as fault:
        raise BadAddress(fault.public, status=status) from fault


def parameters(s: Scanner) -> dict[str, str]:
    """Mail-parameters or Rcpt-parameters by keyword in upper case, "" without value."""
    values: dict[str, str] = {}
    while True:
        s.try_match(SP)
        if s.done:
            return values
        found = s.try_match(_KEYWORD)
        if not found:
            raise SyntaxFault("KEYWORD=value", s.at)
        keyword = found[1].decode().upper()
        if keyword in values:
            raise BadArgument(f"{keyword} stands there twice")
        values[keyword] = (found[2] or b"").decode("utf-8", "replace")


def _none_left(values: dict[str, str]) -> None:
    if values:
        raise ParameterNotKnown(f"Parameter {next(iter(values))} not known")


def _check_utf8(raw: bytes, smtputf8: bool) -> None:
    if not smtputf8 and not raw.isascii():
        raise Utf8Needed()


def size(value: str) -> int:
    """size-value (RFC 1870 §4)."""
    if not _NUMBER.match(value.encode()):
        raise BadArgument("SIZE takes a number of octets")
    return int(value)


def body(value: str) -> str:
    """body-value (RFC 6152)."""
    if value.upper() not in ("7BIT", "8BITMIME"):
        raise BadArgument("BODY is 7BIT or 8BITMIME")
    return value.upper()


def xtext(value: str) -> str:
    """The decoded AUTH parameter, "" for <> (RFC 4954 §5)."""
    octets = value.encode()
    if octets == b"<>":
        return ""
    if not _XTEXT.match(octets):
        raise BadArgument("AUTH takes xtext")
    plain = _HEXCHAR.sub(lambda found: bytes.fromhex(found[1].decode()), octets)
    return plain.decode("utf-8", "replace")


def auth(s: Scanner) -> Auth:
    """mechanism [initial-response] (RFC 4954 §4)."""
    found = s.try_match(_MECHANISM)
    if not found:
        raise BadArgument("AUTH takes the name of a mechanism")
    s.try_match(SP)
    initial = s.text[s.at :].rstrip(b" \t")
    return Auth(
        found[1].decode().upper(),
        None if not initial else b"" if initial == b"=" else auth_response(initial),
    )


def auth_response(line: bytes) -> bytes:
    """The octets of a base64 line; raises SaslCancelled for "*"."""
    if line == b"*":
        raise SaslCancelled()
    if not _BASE64.match(line):
        raise SyntaxFault("base64", 0)
    try:
        return b64decode(line, validate=True)
    except Base64Error as fault:
        raise SyntaxFault("base64", 0) from fault


def string(s: Scanner) -> str:
    """String of VRFY, EXPN and HELP."""
    found = s.match(_STRING, "something to look for")
    return found[1].decode("utf-8", "replace").strip()


def unknown(line: bytes) -> MailError:
    """The fault of a line that is no command."""
    return UnknownCommand() if line else SyntaxFault("a command", 0)


def too_long() -> MailError:
    return LineTooLong()
