"""How login names and addresses are compared: one key for each account.

Local parts differ neither by case nor by compatible spelling (NFKC, as SASLprep makes
it of user names), domains neither by case nor by A-label and U-label.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from precis_i18n import get_profile

from ..address import Address
from ..errors import BadAddress

_USERNAME = get_profile("UsernameCaseMapped")
MASTER_MARK = "*"  # of `user*master`


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


def address_of(name: str, default_domain: str = "") -> Address | None:
    """The address that a login name stands for, as other sources are asked for it:
    by PRECIS UsernameCaseMapped (RFC 8265 §3.3), with the default domain.

    None for what PRECIS does not let be a user name, or is no address.  A source is
    never asked for two spellings that its own comparison might take for one.
    """
    try:
        address = Address.parse(name)
        local_part = _USERNAME.enforce(address.local_part)
    except (BadAddress, UnicodeEncodeError):
        return None
    return Address(local_part, address.domain or default_domain)


def master_of(name: str) -> tuple[str, str] | None:
    """(user, master) of `user*master`; None for a name without the mark."""
    user, mark, master = name.rpartition(MASTER_MARK)
    return (user, master) if mark and user and master else None
