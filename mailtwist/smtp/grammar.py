"""Command arguments of SMTP as functions named for their ABNF rules.

RFC 5321 §4.1.2, RFC 6531 §3.3, RFC 4954 §4 and §8, RFC 1985.  A Scanner stands
behind the verb; every function raises a MailError that says what was expected.  The
values of the parameters of MAIL and RCPT are in `parameters`.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Set
from functools import lru_cache

from ..address import MOST_PATH, Address, normal_domain
from ..errors import BadAddress, SyntaxFault
from ..wire import Scanner
from .command import Auth, Etrn, Hello, Mail, Rcpt
from .faults import BadArgument, ParameterNotKnown, Utf8Needed
from .parameters import Parameters, notify, with_parameters

_SP = re.compile(rb"[ \t]+")
_FROM = re.compile(rb"[ \t]+from[ \t]*:[ \t]*", re.I)
_TO = re.compile(rb"[ \t]+to[ \t]*:[ \t]*", re.I)
_DOMAIN = re.compile(rb"[ \t]+([^\x00-\x20\x7f]{1,255})(?=[ \t]|\Z)")
_SOURCE_ROUTE = re.compile(rb"@[^<>@:,\s]+(?:,@[^<>@:,\s]+)*:")
_MAILBOX = re.compile(
    rb'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"'
    rb'|[^\x00-\x20\x7f"<>()\[\]:;,@\\]+)'
    rb"(?:@(?:\[[^\x00-\x20\x7f\[\]<>]+\]"
    rb'|[^\x00-\x20\x7f"<>()\[\]:;,@\\]+))?'
)
# What nearly every path is, short enough for every limit.
_USUAL_PATH = re.compile(
    rb"<([A-Za-z0-9_+=-][A-Za-z0-9._+=-]{0,63}@[A-Za-z0-9-][A-Za-z0-9.-]{0,180})>"
    rb"(?:[ \t]+|\Z)"
)
_PARAMETER = re.compile(
    rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20\x7f=]*))?(?=[ \t]|\Z)"
)
_MECHANISM = re.compile(rb"[ \t]+([A-Za-z0-9_-]{1,20})(?=[ \t]|\Z)")
_RESPONSE = re.compile(rb"([^\x00-\x20\x7f]+)")
_BASE64 = re.compile(
    rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z"
)
_STRING = re.compile(rb"[ \t]+([^\x00-\x1f\x7f]+)")

BAD_SENDER, BAD_RECIPIENT = "5.1.7", "5.1.3"  # RFC 3463 §3.2


def nothing(s: Scanner) -> None:
    """No argument; white space at the end is tolerated (RFC 5321 §4.1.1)."""
    s.try_match(_SP)
    if not s.done:
        raise BadArgument("This command takes no argument")


def hello(s: Scanner, verb: str) -> Hello:
    """Domain / address-literal (RFC 5321 §4.1.1.1).

    What many clients say is no valid domain, and mail must not be refused for it
    (§4.1.4): any word of printable characters is taken.
    """
    found = s.try_match(_DOMAIN)
    if found:
        s.try_match(_SP)
    if not found or not s.done:
        raise BadArgument(f"Say your name in one word: {verb} host.example")
    return Hello(found[1].decode("utf-8", "replace"), verb != "HELO")


def mail(s: Scanner, *, keywords: Set[str], bare_path: bool) -> Mail:
    """ "FROM:" Reverse-path [SP Mail-parameters].

    `keywords` are the parameters that may stand; `bare_path` allows an address without
    brackets.  Raises BadAddress, ParameterNotKnown, BadArgument, Utf8Needed,
    SyntaxFault.
    """
    s.match(_FROM, "FROM:<address>")
    raw = path(s, bare_path=bare_path, status=BAD_SENDER)
    given: Parameters = {}
    if not s.done:
        given = esmtp_parameters(s, keywords)
    if not raw.isascii() and "SMTPUTF8" not in given:
        raise Utf8Needed()
    reverse_path = mailbox(raw, BAD_SENDER) if raw else None
    if reverse_path is not None and not reverse_path.domain:
        raise BadAddress("Sender address needs a domain", status=BAD_SENDER)
    return with_parameters(Mail(reverse_path), given) if given else Mail(reverse_path)


def rcpt(s: Scanner, *, keywords: Set[str], bare_path: bool, smtputf8: bool) -> Rcpt:
    """ "TO:" Forward-path [SP Rcpt-parameters].

    Only postmaster may stand without a domain (RFC 5321 §4.5.1).  Raises as `mail`.
    """
    s.match(_TO, "TO:<address>")
    raw = path(s, bare_path=bare_path, status=BAD_RECIPIENT)
    if not raw:
        raise BadAddress("Recipient address is empty", status=BAD_RECIPIENT)
    given: Parameters = {}
    if not s.done:
        given = esmtp_parameters(s, keywords)
    if not smtputf8 and not raw.isascii():
        raise Utf8Needed()
    forward_path = mailbox(raw, BAD_RECIPIENT)
    if not forward_path.domain and forward_path.local_part.lower() != "postmaster":
        raise BadAddress("Recipient address needs a domain", status=BAD_RECIPIENT)
    if given:
        return Rcpt(forward_path, notify(given, smtputf8=smtputf8))
    return Rcpt(forward_path)


def path(s: Scanner, *, bare_path: bool, status: str) -> bytes:
    """Path = "<" [ A-d-l ":" ] Mailbox ">": the mailbox, b"" for <>.

    A source route is taken and dropped (RFC 5321 §4.1.1.3, Appendix C).
    """
    usual = s.try_match(_USUAL_PATH)
    if usual:
        return usual[1]
    start = s.at
    bracket = s.skip(b"<")
    if not bracket and not bare_path:
        raise BadAddress("Put the address in <>", status=status)
    if bracket:
        s.try_match(_SOURCE_ROUTE)
    found = s.try_match(_MAILBOX)
    if bracket and not s.skip(b">"):
        raise BadAddress(f"Bad address syntax at octet {s.at}", status=status)
    if not bracket and not found:
        raise BadAddress("Address missing", status=status)
    if not s.done and s.text[s.at : s.at + 1] not in (b" ", b"\t"):
        raise BadAddress(f"Bad address syntax at octet {s.at}", status=status)
    if s.at - start > MOST_PATH:
        raise BadAddress(f"Path is longer than {MOST_PATH} octets", status=status)
    s.try_match(_SP)
    return found[0] if found else b""


def mailbox(octets: bytes, status: str) -> Address:
    """Mailbox (RFC 5321 §4.1.2, RFC 6531 §3.3); raises BadAddress with `status`."""
    try:
        return _mailbox(octets)
    except BadAddress as fault:
        raise BadAddress(fault.public, status=status) from fault


@lru_cache(maxsize=2048)
def _mailbox(octets: bytes) -> Address:
    try:
        return Address.parse(octets.decode())
    except UnicodeDecodeError as bad:
        raise BadAddress("Address is not UTF-8") from bad


def esmtp_parameters(s: Scanner, keywords: Set[str]) -> Parameters:
    """Mail-parameters = esmtp-param *(SP esmtp-param): upper-case keyword -> value,
    None where there is no "=" (RFC 5321 §4.1.2)."""
    given: Parameters = {}
    while not s.done:
        found = s.match(_PARAMETER, "keyword or keyword=value")
        keyword, value = found[1].decode().upper(), found[2]
        if keyword not in keywords:
            raise ParameterNotKnown(f"Parameter {keyword} not known")
        if keyword in given:
            raise BadArgument(f"{keyword} given twice")
        if value == b"":
            raise BadArgument(f"{keyword}= without a value")
        given[keyword] = None if value is None else value.decode("utf-8", "replace")
        s.try_match(_SP)
    return given


def etrn(s: Scanner) -> Etrn:
    """SP domain (RFC 1985).

    The option characters are not known: "@" would be many domains, "#" some queue."""
    try:
        return Etrn(normal_domain(string(s)))
    except BadAddress as fault:
        raise BadArgument("ETRN takes the name of a domain") from fault


def auth(s: Scanner) -> Auth:
    """SP sasl-mech [SP (base64 / "=")] (RFC 4954 §8)."""
    found = s.try_match(_MECHANISM)
    if not found:
        raise BadArgument("AUTH needs the name of a mechanism")
    initial = None
    if s.try_match(_SP) and not s.done:
        octets = s.match(_RESPONSE, "base64 or =")[1]
        initial = b"" if octets == b"=" else base64(octets)
        s.try_match(_SP)
        s.end()
    return Auth(found[1].decode().upper(), initial)


def base64(octets: bytes) -> bytes:
    """base64 (RFC 4954 §8): strict, nothing between, padding in full."""
    if not _BASE64.match(octets):
        raise SyntaxFault("base64", 0)
    return b64decode(octets)


def encode_base64(octets: bytes) -> bytes:
    """base64 of a challenge."""
    return b64encode(octets)


def string(s: Scanner) -> str:
    """String (RFC 5321 §4.1.2) as it stands, for VRFY and EXPN."""
    found = s.try_match(_STRING)
    if not found or not found[1].strip():
        raise BadArgument("Argument missing")
    s.end()
    return found[1].decode("utf-8", "replace").strip()
