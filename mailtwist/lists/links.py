"""Links with a signature: who has one may take that member off that list.

    token = base32(list number, member number, HMAC), 40 letters and digits

The list's secret and the member's address are part of the HMAC, so a link ends with the
membership.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode

from attrs import frozen

from .model import MailingList, Member, key_of

_TOKEN = re.compile(r"[a-z2-7]{40}")
_LIST, _MEMBER, _MAC = 4, 6, 15  # octets


@frozen
class Signed:
    """What a token claims, to be held against the list's secret."""

    list: int
    member: int
    mac: bytes


def token_for(mailing_list: MailingList, member: Member) -> str:
    """The token of one member."""
    head = mailing_list.number.to_bytes(_LIST, "big")
    head += member.number.to_bytes(_MEMBER, "big")
    octets = head + _mac(mailing_list, member)
    return b32encode(octets).decode().lower()


def read_token(text: str) -> Signed | None:
    """None for what no list signed."""
    if not _TOKEN.fullmatch(text.lower()):
        return None
    octets = b32decode(text.upper())
    member = octets[_LIST : _LIST + _MEMBER]
    return Signed(
        int.from_bytes(octets[:_LIST], "big"),
        int.from_bytes(member, "big"),
        octets[_LIST + _MEMBER :],
    )


def holds(signed: Signed, mailing_list: MailingList, member: Member) -> bool:
    """True if the list signed this for that member."""
    return hmac.compare_digest(signed.mac, _mac(mailing_list, member))


def _mac(mailing_list: MailingList, member: Member) -> bytes:
    said = f"unsubscribe {mailing_list.number} {member.number} {key_of(member.address)}"
    return hmac.digest(mailing_list.secret, said.encode(), "sha256")[:_MAC]
