"""A post as members get it: its header changed, the body as it came but for a footer.

What the list adds stands in front of the author's fields, so that signatures over those
stay whole where nothing else asks for a change.
"""

from __future__ import annotations

import re

from ..address import Address
from ..mime.address_list import Listed, addresses
from ..mime.ascii_header import ascii_header
from ..mime.compose import field_of
from ..mime.header import fields, joined
from .addressing import HELP, OWNER, SUBSCRIBE, UNSUBSCRIBE
from .incoming import Incoming, address_of
from .model import MailingList

# What members must not get of what the author or another host wrote.
_TAKEN_OUT = frozenset(
    b"return-path delivered-to delivery-date x-original-to envelope-to errors-to"
    b" return-receipt-to disposition-notification-to x-confirm-reading-to approved"
    b" x-approved precedence x-list-administrivia list-id list-help list-subscribe"
    b" list-unsubscribe list-unsubscribe-post list-post list-owner list-archive"
    b" content-length bcc resent-bcc".split()
)
_SPECIAL = re.compile(r'(["\\])')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def header(
    message: Incoming,
    mailing_list: MailingList,
    *,
    rewrite_from: bool,
    personal: bool = False,
) -> list[bytes]:
    """The raw fields of the post, in order; those of `unsubscribe_fields` are left out
    of a `personal` one."""
    options = mailing_list.options
    gone = set(_TAKEN_OUT)
    made = [*list_fields(mailing_list, personal=personal), b"Precedence: list\r\n"]
    made.append(b"X-Loop: " + mailing_list.address.encode() + b"\r\n")
    if rewrite_from:
        gone |= {b"from", b"sender", b"author"}
        made += _from(message, mailing_list)
    reply_to = _reply_to(message, mailing_list, rewrite_from)
    if reply_to:
        gone.add(b"reply-to")
        made.append(_address_field("Reply-To", ", ".join(reply_to)))
    subject = _subject(message, options.prefix)
    if subject is not None:
        gone.add(b"subject")
        made.append(subject)
    top, rest = [], []
    for name, raw in fields(message.octets[: message.root.header[1]]):
        if name.lower() == b"received":
            top.append(raw)
        elif name.lower() not in gone:
            rest.append(raw)
    return [*top, *made, *rest]


def whole(found: list[bytes], body: bytes) -> bytes:
    """A message of raw fields and a body."""
    return joined(found) + body


def list_fields(mailing_list: MailingList, *, personal: bool = False) -> list[bytes]:
    """List-Id and its kin (RFC 2919 §3, RFC 2369 §3), without `unsubscribe_fields` if
    each copy has its own."""
    options, at = mailing_list.options, mailing_list.at
    title = _quoted(options.description or mailing_list.name)
    found = [
        ("List-Id", f"{title} <{mailing_list.list_id}>"),
        ("List-Help", f"<mailto:{_url(at(HELP))}>"),
        ("List-Owner", f"<mailto:{_url(at(OWNER))}>"),
    ]
    if options.subscription != "closed":
        found.append(("List-Subscribe", f"<mailto:{_url(at(SUBSCRIBE))}>"))
    closed = options.posting == "moderators"  # RFC 2369 §3.4: not for its readers
    post = "NO" if closed else f"<mailto:{_url(mailing_list.address)}>"
    found.append(("List-Post", post))
    made = [_address_field(name, value) for name, value in found]
    return made if personal else [*made, *unsubscribe_fields(mailing_list)]


def unsubscribe_fields(mailing_list: MailingList, link: str = "") -> list[bytes]:
    """List-Unsubscribe; with a member's own link one click is enough
    (RFC 8058 §3.1)."""
    mail = f"<mailto:{_url(mailing_list.at(UNSUBSCRIBE))}>"
    if not link:
        return [_address_field("List-Unsubscribe", mail)]
    return [
        _address_field("List-Unsubscribe", f"<{link}>, {mail}"),
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    ]


def _address_field(name: str, value: str) -> bytes:
    """A field whose addresses are not taken apart, words encoded where they must be."""
    if value.isascii():
        lines, line = [], f"{name}:"
        for word in value.split(" "):
            if len(line) + 1 + len(word) > 78 and line != f"{name}:":
                lines.append(line)
                line = ""
            line += f" {word}"
        return "\r\n".join([*lines, line]).encode() + b"\r\n"
    known = name if name in ("From", "Reply-To") else "From"
    made = ascii_header(f"{known}: {value}\r\n\r\n".encode()).removesuffix(b"\r\n")
    return name.encode() + made[len(known) :]


def _url(address: Address) -> str:
    """An address of a list in a URL: its letters need no quoting, a + does not either
    (RFC 6068 §2)."""
    return address.encode().decode()


def _quoted(text: str) -> str:
    return '"' + _SPECIAL.sub(r"\\\1", _CONTROL.sub(" ", text)) + '"'


def _mailbox(name: str, address: Address) -> str:
    return f"{_quoted(name)} <{address}>" if name else str(address)


# -- who it is from -----------------------------------------------------------------


def _from(message: Incoming, mailing_list: MailingList) -> list[bytes]:
    """From the list, and Author (RFC 9057) for who wrote it."""
    author = message.author
    told = message.author_name or (author.local_part if author else "")
    listed = f"{told} via {mailing_list.name}".strip()
    made = [_address_field("From", _mailbox(listed, mailing_list.address))]
    if author is not None:
        made.append(_address_field("Author", _mailbox(message.author_name, author)))
    return made


def _reply_to(
    message: Incoming, mailing_list: MailingList, rewrite_from: bool
) -> list[str]:
    """What Reply-To becomes; nothing if it stays as it is."""
    choice = mailing_list.options.reply_to
    if choice == "keep" and not rewrite_from:
        return []
    theirs = []
    for listed in _reply_addresses(message):
        address = address_of(listed)
        if address is not None:
            name = (listed.name or b"").decode("utf-8", "replace")
            plain = name.isascii() and "=?" not in name
            theirs.append(_mailbox(name if plain else "", address))
    if not theirs and message.author is not None:
        theirs = [_mailbox("", message.author)]
    if choice == "list":
        return [str(mailing_list.address)]
    if choice == "both":
        own = str(mailing_list.address)
        return [own, *(one for one in theirs if own not in one)]
    return theirs


def _reply_addresses(message: Incoming) -> list[Listed]:
    return addresses(message.table.get(b"reply-to", []))[:20]


# -- subject ------------------------------------------------------------------------


def _subject(message: Incoming, prefix: str) -> bytes | None:
    """The field with the prefix; None if it is there already or there is none."""
    if not prefix or prefix.casefold() in message.subject.casefold():
        return None
    raw = message.table.get(b"subject")
    if raw and prefix.isascii() and message.subject.strip():
        return b"Subject: " + prefix.encode() + b" " + raw[0].lstrip(b" \t")
    return field_of("Subject", f"{prefix} {message.subject or '(no subject)'}")
