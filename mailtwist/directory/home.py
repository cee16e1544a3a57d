"""Where the mail of an account lies: any address, reversibly, and never outside."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote, unquote

from ..address import Address, ascii_domain
from ..errors import BadAddress

MOST_NAME = 255  # octets of a file name


def home_of(address: Address) -> str:
    """The folder for `address`, relative to the data folder: mail/DOMAIN/LOCAL-PART.

    Letters and digits of ASCII, "_.-~+=" stay as they are (but a leading dot);
    everything else is percent-encoded UTF-8.  The domain is in A-labels.  Raises
    BadAddress for what no file can be called.
    """
    local_part = unicodedata.normalize("NFC", address.local_part.lower())
    names = [encoded(ascii_domain(address.domain)), encoded(local_part)]
    if not all(0 < len(name) <= MOST_NAME for name in names):
        raise BadAddress("Too long, or empty, for the name of a folder")
    return "/".join(["mail", *names])


def encoded(text: str) -> str:
    name = quote(text, safe="+=")
    return "%2E" + name[1:] if name.startswith(".") else name


def decoded(name: str) -> str:
    """What `encoded` was given."""
    return unquote(name, errors="strict")
