"""DMARC records, and where they are looked for (RFC 7489 §6.3, RFC 9989 §4.7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from attrs import frozen

from ..address import Address
from ..errors import BadAddress
from .model import INames

MOST_URIS = 5
MOST_LABELS = 8  # RFC 9989 §4.10: of more the walk leaves some out

_VERSION = re.compile(r"\s*v\s*=\s*DMARC1\s*(;|\Z)")
POLICIES = ("none", "quarantine", "reject")


@frozen
class Policy:
    """What a domain asks for.

    `domain` is where the record stands; `subdomains` and `missing` are sp= and np=, ""
    if not said.  `percent` and `testing` soften it; `psd` is "y", "n" or "u".
    """

    domain: str
    policy: str = "none"
    subdomains: str = ""
    missing: str = ""
    strict_dkim: bool = False
    strict_spf: bool = False
    percent: int = 100
    testing: bool = False
    psd: str = "u"
    reports_to: tuple[str, ...] = ()
    failures_to: tuple[str, ...] = ()
    failure_options: str = "0"

    def for_domain(self, domain: str, *, exists: bool = True) -> str:
        """What holds for mail from `domain`: this one, or one below it."""
        if domain == self.domain:
            return self.policy
        if not exists and self.missing:
            return self.missing
        return self.subdomains or self.policy


def policy(domain: str, records: Sequence[bytes]) -> Policy | None:
    """The one record among the TXT records of _dmarc.`domain`, if there is just one.

    A record that says nothing usable counts as if it were not there."""
    texts = [record.decode("utf-8", "replace") for record in records]
    found = [text for text in texts if _VERSION.match(text)]
    return _policy_in(domain, found[0]) if len(found) == 1 else None


@lru_cache(1000)  # of the domains that send most
def _policy_in(domain: str, text: str) -> Policy | None:
    said: dict[str, str] = {}
    for part in text.split(";")[:100]:
        name, equals, value = part.partition("=")
        if equals:
            said.setdefault(name.strip().lower(), value.strip())
    wanted = _policy(said.get("p", ""))
    reports_to = _uris(said.get("rua", ""))
    if not wanted and "p" in said and not reports_to:
        return None
    percent = said.get("pct", "")
    return Policy(
        domain,
        wanted or "none",
        _policy(said.get("sp", "")),
        _policy(said.get("np", "")),
        said.get("adkim", "r").lower() == "s",
        said.get("aspf", "r").lower() == "s",
        min(100, int(percent)) if re.fullmatch("[0-9]{1,3}", percent) else 100,
        said.get("t", "n").lower() == "y",
        _one_of(said.get("psd", "u").lower(), ("y", "n"), "u"),
        reports_to,
        _uris(said.get("ruf", "")),
        said.get("fo", "0"),
    )


def _policy(text: str) -> str:
    return _one_of(text.lower(), POLICIES, "")


def _one_of(text: str, known: Sequence[str], other: str) -> str:
    return text if text in known else other


def _uris(text: str) -> tuple[str, ...]:
    """The mailto: URIs, as addresses in text; a size behind "!" is dropped."""
    found = []
    for uri in text.split(","):
        address = mailbox(uri.strip())
        if address is not None:
            found.append(str(address))
    return tuple(found[:MOST_URIS])


def mailbox(uri: str) -> Address | None:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        return None
    try:
        address = Address.parse(rest.partition("!")[0].partition("?")[0].strip())
    except BadAddress:
        return None
    return address if address.domain and address.ascii else None


# -- where ------------------------------------------------------------------------


async def at(domain: str, names: INames) -> Policy | None:
    """The record of just this domain.  Raises DnsUnavailable."""
    return policy(domain, await names.txt(f"_dmarc.{domain}"))


async def walked(domain: str, names: INames) -> list[Policy]:
    """The records of the domain and of those above it, up to one that says where the
    walk ends (RFC 9989 §4.10).  Raises DnsUnavailable."""
    found = []
    labels = domain.split(".")
    while labels:
        here = await at(".".join(labels), names)
        if here is not None:
            found.append(here)
            if here.psd != "u":
                break
        labels = labels[1:] if len(labels) < MOST_LABELS else labels[-7:]
    return found


def organizational(domain: str, found: Sequence[Policy]) -> str:
    """The organizational domain, from the records of a walk that began at `domain`
    (RFC 9989 §4.10.2)."""
    if not found:
        return domain
    last = found[-1]
    if last.psd == "y" and last.domain != domain:
        count = last.domain.count(".") + 2
        return ".".join(domain.split(".")[-count:])
    return last.domain
