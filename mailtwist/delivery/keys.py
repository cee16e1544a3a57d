"""The keys by which an address is looked up in a table, in Postfix's order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ..address import Address, ascii_domain


@lru_cache(4096)
def spelled(local_part: str, domain: str = "") -> str:
    """A key: lower case, the domain in A-labels."""
    user = Address(local_part).quoted_local_part.lower()
    return f"{user}@{ascii_domain(domain)}" if domain else user


def spelled_address(address: Address) -> str:
    return spelled(address.local_part, address.domain)


def same(one: Address, other: Address) -> bool:
    """True if a table cannot tell them apart."""
    return spelled_address(one) == spelled_address(other)


def address_keys(
    address: Address, separator: str, *, bare: bool = False
) -> Iterator[tuple[str, str]]:
    """(key, detail that the key leaves out, with its separator) of virtual(5).

    user+detail@domain, user@domain, then with `bare` user+detail and user.  The
    catch-all @domain is not among them: it has its turn after the accounts.
    """
    local_part, domain = address.local_part, address.domain
    at = local_part.find(separator, 1) if separator else -1
    splits = [(local_part, "")]
    if at > 0:
        splits.append((local_part[:at], local_part[at:]))
    for user, left_out in splits:
        yield spelled(user, domain), left_out
    if bare:
        for user, left_out in splits:
            yield spelled(user), left_out


def catch_all_key(domain: str) -> str:
    return f"@{ascii_domain(domain)}"


def domain_keys(domain: str) -> Iterator[str]:
    """The domain, then ".parent" of each parent, as transport(5) asks."""
    name = ascii_domain(domain)
    yield name
    if name.startswith("["):
        return
    while "." in name:
        name = name.partition(".")[2]
        yield "." + name
