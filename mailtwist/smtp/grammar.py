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
from ..errors import BadAddress, SyntaxFault
from ..wire import Scanner
from .command import Auth, Hello, Mail, Rcpt
from .faults import BadArgument, ParameterNotKnown, Utf8Needed

SP = re.compile(rb"[ \t]+")
_COLON = re.compile(rb"[ \t]*:[ \t]*")
_FROM = re.compile(rb"[ \t]+from[ \t]*:[ \t]*", re.I)
_TO = re.compile(rb"[ \t]+to[ \t]*:[ \t]*", re.I)
_DOMAIN = re.compile(rb"[ \t]+([^\x00-\x20\x7f]{1,255})")
_SOURCE_ROUTE = re.compile(rb"@[^<>@:,\s]+(?:,@[^<>@:,\s]+)*:")
_MAILBOX = re.compile(
    rb'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"|[^\x00-\x20\x7f"<>()\[\]:;,@\\]+)'
    rb"(?:@(?:\[[^\x00-\x20\x7f\[\]<>]+\]|[^\x00-\x20\x7f\"<>()\[\]:;,@\\]+))?"
)
_KEYWORD = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20\x7f=]+))?(?=[ \t]|\Z)")
_NUMBER = re.compile(rb"[0-9]{1,20}\Z")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_HEXCHAR = re.compile(rb"\+([0-9A-F]{2})")
_MECHANISM = re.compile(rb"[ \t]+([A-Za-z0-9_-]{1,20})(?=[ \t]|\Z)")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z")
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
    """"FROM:" Reverse-path [SP Mail-parameters].

    `extended` after EHLO; `bare_path` allows an address without brackets; `auth` if
    AUTH is offered or done.  Raises BadAddress, ParameterNotKnown, BadArgument,
    Utf8Needed, SyntaxFault.
    """
    s.match(_FROM, "FROM:<address>")
    raw = path(s, bare_path=bare_path, status=BAD_SENDER)
    values = mail_parameters(s, extended)
    smtputf8 = "SMTPUTF8" in values
    _check_utf8(raw, smtputf8)
    reverse_path = mailbox(raw, BAD_SENDER) if raw else None
    if reverse_path is not None and not reverse_path.domain:
        raise BadAddress("Sender address needs a domain", status=BAD_SENDER)
    return Mail(
        reverse_path,
        size(values.pop("SIZE")) if "SIZE" in values else None,
        body(values.pop("BODY")) if "BODY" in values else "7BIT",
        smtputf8 and flag(values.pop("SMTPUTF8")),
        auth_parameter(values.pop("AUTH")) if "AUTH" in values and auth else None,
    ) if not (unknown := _unknown(values, auth)) else _refuse(unknown)


def rcpt(s: Scanner, *, bare_path: bool, smtputf8: bool) -> Rcpt:
    """"TO:" Forward-path; no parameters are known.

    Only postmaster may stand without a domain (RFC 5321 §4.5.1).
    """
    s.match(_TO, "TO:<address>")
    raw = path(s, bare_path=bare_path, status=BAD_RECIPIENT)
    if not raw:
        raise BadAddress("Recipient address is empty", status=BAD_RECIPIENT)
    unknown = list(mail_parameters(s, True))
    if unknown:
        raise ParameterNotKnown(f"Parameter {unknown[0]} not known")
    _check_utf8(raw, smtputf8)
    forward_path = mailbox(raw, BAD_RECIPIENT)
    if not forward_path.domain and forward_path.local_part.lower() != "postmaster":
        raise BadAddress("Recipient address needs a domain", status=BAD_RECIPIENT)
    return Rcpt(forward_path)
