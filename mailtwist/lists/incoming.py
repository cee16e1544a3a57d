"""A message that came to a list, as far as the list looks at it."""

from __future__ import annotations

import re
from html import unescape

from attrs import frozen

from ..address import Address
from ..errors import BadAddress
from ..mime.address_list import Listed, addresses
from ..mime.header import Table, fields, table, unfold
from ..mime.html_text import visible
from ..mime.message_id import message_ids
from ..mime.parameters import token
from ..mime.parse import MOST_HEADER, parse
from ..mime.part import Part
from ..mime.preview import shown_part
from ..mime.text import BodyDecoder, decoded_words
from .model import MailingList, key_of

LOOP = b"x-loop"
BULK = frozenset(("bulk", "list", "junk"))
MOST_TEXT = 64 * 1024  # octets of a text that are read
MOST_LISTS = 25  # that a message may have gone through

_LIST_ID = re.compile(r"<([^<>\s]+)>\s*$")
_SIGNATURES = frozenset(("pgp-signature", "pkcs7-signature", "x-pkcs7-signature"))
_SIGNED = frozenset(("signed", "encrypted"))
_WRAPPED = frozenset(("pkcs7-mime", "x-pkcs7-mime"))


@frozen
class Incoming:
    """`author` is the first of From (None if it names nobody), `author_name` "" if it
    gives no name; texts are decoded.  `automatic` says why a program wrote it, "" for a
    person.  `root` is the tree of its parts, `texts_of` its fields.
    """

    octets: bytes
    root: Part
    table: Table
    author: Address | None
    author_name: str
    subject: str
    message_id: str
    references: tuple[str, ...]
    automatic: str
    bulk: bool

    def texts(self, name: bytes) -> list[str]:
        """The values of a field by its name in lower case, decoded."""
        return [decoded_words(unfold(value)) for value in self.table.get(name, [])]


def incoming(octets: bytes, reverse_path: Address | None) -> Incoming:
    """What `octets` are; raises nothing on any octets."""
    root = parse(octets)
    header = octets[: min(root.header[1], MOST_HEADER)]
    values = table(fields(header))
    author, name = _author(values)
    ids = message_ids(_first(values, b"message-id"))
    known = message_ids(_first(values, b"references"))
    known = known or message_ids(_first(values, b"in-reply-to"))[:1]
    precedence = {
        decoded_words(unfold(value)).strip().lower()
        for value in values.get(b"precedence", [])
    }
    return Incoming(
        octets,
        root,
        values,
        author,
        name,
        decoded_words(_first(values, b"subject")),
        ids[0].decode("utf-8", "replace") if ids else "",
        tuple(one.decode("utf-8", "replace") for one in known[-20:]),
        _automatic(values, reverse_path),
        bool(precedence & BULK),
    )


def _first(values: Table, name: bytes) -> bytes:
    found = values.get(name)
    return unfold(found[0]) if found else b""


def _author(values: Table) -> tuple[Address | None, str]:
    for listed in addresses(values.get(b"from", [])):
        address = address_of(listed)
        if address is not None:
            return address, decoded_words(listed.name or b"").strip()
    return None, ""


def address_of(listed: Listed) -> Address | None:
    """The address of a header field, if it is one with a domain."""
    if listed.mailbox is None or listed.host is None:
        return None
    local_part = listed.mailbox.decode("utf-8", "replace")
    try:
        domain = Address.parse("x@" + listed.host.decode("utf-8", "replace")).domain
        made = Address(local_part, domain)
        return Address.parse(str(made))
    except BadAddress:
        return None


def _automatic(values: Table, reverse_path: Address | None) -> str:
    """Why a program wrote it (RFC 3834 §2, §5), "" for a person."""
    if reverse_path is None:
        return "it has the null reverse-path"
    for value in values.get(b"auto-submitted", []):
        said = decoded_words(unfold(value)).partition(";")[0].strip().lower()
        if said != "no":
            return "a program sent it"
    return ""


def recipients(message: Incoming) -> list[Address]:
    """Those in To and Cc."""
    listed = addresses(message.table.get(b"to", []) + message.table.get(b"cc", []))
    return [found for one in listed if (found := address_of(one)) is not None]


def looped(message: Incoming, mailing_list: MailingList) -> bool:
    """True if it went through this list before, or through too many others."""
    ours = mailing_list.list_id.lower()
    for value in message.texts(b"list-id"):
        found = _LIST_ID.search(value)
        if found and found[1].lower() == ours:
            return True
    loops = [value.strip().lower() for value in message.texts(LOOP)]
    return key_of(mailing_list.address) in loops or len(loops) >= MOST_LISTS


def signed(part: Part) -> bool:
    """True if something in it breaks when a part is added (RFC 1847, RFC 8551)."""
    if part.multipart:
        return part.subtype in _SIGNED or any(map(signed, part.children))
    return part.media_type == "application" and part.subtype in _WRAPPED


def attachments(part: Part) -> list[Part]:
    """Parts that a reader has to open: not texts, signatures, or what a text shows."""
    found: list[Part] = []
    _attached(part, False, found)
    return found


def _attached(part: Part, shown: bool, found: list[Part]) -> None:
    """`shown` if the parts around it show what is not text (multipart/related)."""
    if part.multipart:
        for number, child in enumerate(part.children):
            related = part.subtype == "related" and number > 0
            _attached(child, shown or related, found)
        return
    said = part.disposition[0].lower() if part.disposition else b""
    if part.subtype in _SIGNATURES or (shown and said != b"attachment"):
        return
    if part.media_type != "text" or said == b"attachment":
        found.append(part)


def text_of(message: Incoming) -> str:
    """The text for people: that of the first text part, tags taken out of HTML."""
    part = shown_part(message.root)
    if part is None:
        return ""
    start, count = part.body
    octets = message.octets[start : start + min(count, MOST_TEXT)]
    charset = token(part.parameters, b"charset") or b""
    text = BodyDecoder(part.encoding, charset).feed(octets, final=True)
    if part.subtype == "html":
        return unescape(visible(text))
    return text.replace("\r\n", "\n")
