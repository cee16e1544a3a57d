"""How login names and addresses are compared: one key for each account.

Local parts differ neither by case nor by compatible spelling (NFKC, as SASLprep makes
it of user names), domains neither by case nor by A-label and U-label.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from ..address import Address
from ..errors import BadAddress


def account_key(address: Address) -> str:
    """The key of the account that `address` belongs to, if there is one."""
    local_part = folded(address.local_part)
    return f"{local_part}@{address.domain}" if address.domain else local_part


@lru_cache(4096)
def login_key(name: str, default_domain: str = "") -> str:
    """The key of what somebody typed as a login name.

    A text that is no address is a key too, of no account; it fails no earlier than a
    name that does not exist.
    """
    try:
        address = Address.parse(name)
    except BadAddress:
        return folded(name)
    if not address.domain and default_domain:
        address = Address(address.local_part, default_domain)
    return account_key(address)


def folded(text: str) -> str:
    """`text` as it is compared.

    Case folding and NFKC undo each other's work for a few letters (Unicode §3.13,
    D147); a second turn settles them.
    """
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text.casefold())
    return text
