"""Commands about the session itself: logging in, ID, ENABLE."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64

from ...errors import BadParameter, SyntaxFault
from ...secret import Secret
from ..types import Authenticate, Compress, Enable, Id, Login
from .scanner import CommandScanner
from .strings import NIL, astring, atom, nstring, sp, string, text, word

BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_INITIAL = re.compile(rb"=(?= *\Z)|%b" % BASE64.pattern)

MOST_ID_FIELDS = 30  # RFC 2971 §3.3
MOST_ID_NAME, MOST_ID_VALUE = 30, 1024  # octets, RFC 2971 §3.3


def base64(octets: bytes, at: int = 0) -> Secret:
    """A SASL response; raises SyntaxFault for what is not base64."""
    try:
        if BASE64.fullmatch(octets):
            return Secret(a2b_base64(octets))
    except Error:
        pass
    raise SyntaxFault("base64", at)


def authenticate(s: CommandScanner) -> Authenticate:
    """auth-type [SP (base64 / "=")] (RFC 4959 §3)."""
    sp(s)
    mechanism = atom(s, "a mechanism").decode().upper()
    if not s.skip(b" ") or s.done:
        return Authenticate(mechanism)
    at = s.at
    initial = s.match(_INITIAL, "base64")[0]
    return Authenticate(mechanism, base64(b"" if initial == b"=" else initial, at))


def login(s: CommandScanner) -> Login:
    sp(s)
    user = text(s, astring(s, "a user name"), "the user name")
    sp(s)
    return Login(user, Secret(astring(s, "a password")))


def id_(s: CommandScanner) -> Id:
    """id-params-list (RFC 2971 §4)."""
    sp(s)
    if s.try_match(NIL):
        return Id()
    s.expect(b"(", "a list or NIL")
    fields: list[tuple[str, str | None]] = []
    while not s.skip(b")"):
        if fields:
            sp(s)
        name = string(s, "a field name")
        sp(s)
        value = nstring(s)
        if len(name) > MOST_ID_NAME or len(value or b"") > MOST_ID_VALUE:
            raise BadParameter("ID field too long")
        if len(fields) >= MOST_ID_FIELDS:
            raise BadParameter(f"ID has more than {MOST_ID_FIELDS} fields")
        fields.append((_people(name), None if value is None else _people(value)))
    return Id(tuple(fields))


def compress(s: CommandScanner) -> Compress:
    """ "COMPRESS" SP algorithm (RFC 4978 §5)."""
    sp(s)
    if word(s, "an algorithm") != "DEFLATE":
        raise BadParameter("DEFLATE is the one algorithm")
    return Compress()


def _people(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def enable(s: CommandScanner) -> Enable:
    """ "ENABLE" 1*(SP capability) (RFC 5161 §4)."""
    found: list[str] = []
    while not found or (s.skip(b" ") and not s.done):
        if not found:
            sp(s)
        found.append(atom(s, "a capability").decode().upper())
    return Enable(tuple(found))
