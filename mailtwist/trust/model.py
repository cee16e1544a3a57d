"""What the checks of a message's origin are given, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen


class INames(Protocol):
    """DNS as the checks need it; names as A-labels.

    A name that is not there, or without such records, is an empty sequence.  Raises
    errors.DnsUnavailable if it cannot be told now."""

    async def txt(self, name: str) -> Sequence[bytes]:
        """The TXT records, the strings of each joined."""

    async def addresses(self, name: str, *, ipv6: bool) -> Sequence[str]:
        """The A records, or with `ipv6` the AAAA records instead."""

    async def mx(self, name: str) -> Sequence[tuple[int, str]]:
        """(preference, host) pairs."""

    async def ptr(self, address: str) -> Sequence[str]:
        """The names of an IP address."""


@frozen
class Decision:
    """What one check said of one message, for whoever asks later why.

    `check` is its short name ("spf", "dkim", "dmarc", "dnsbl"), `input` what it looked
    at in words, `verdict` one word of that check, `detail` the cause in one line of
    ASCII, `duration_s` what the message waited or the check took, `option` the line of
    the configuration that made it count ("" if it counted for nothing).
    """

    check: str
    input: str
    verdict: str
    detail: str = ""
    duration_s: float = 0.0
    option: str = ""

    @property
    def line(self) -> str:
        """All of it for a log."""
        why = f" ({self.detail})" if self.detail else ""
        by = f" by {self.option}" if self.option else ""
        took = f" in {self.duration_s * 1000:.0f} ms" if self.duration_s else ""
        return f"{self.check} {self.input} {self.verdict}{why}{by}{took}"
