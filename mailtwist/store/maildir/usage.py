"""What an account holds: measured once, then counted.

Figures may be off for a while after other programs changed something; before anybody is
refused for them they are measured again.
"""

from __future__ import annotations

import os
import re

from attrs import define, field

from ...directory.model import Account
from ...mailbox.model import Path, Usage
from . import folders

TRUSTED_S = 5.0  # a refusal needs a measurement not older than this
NEARLY_FULL = 0.9  # of the limit; above, figures must be fresh

_SIZE = re.compile(r",S=(\d{1,18})(?=[,:]|\Z)", re.ASCII)


@define
class UsageCount:
    """Octets and messages; of the reactor's thread."""

    octets: int = 0
    messages: int = 0
    measured_at: float | None = None
    _arrived: dict[Path, tuple[int, int]] = field(factory=dict)

    @property
    def known(self) -> bool:
        return self.measured_at is not None

    def measured(self, octets: int, messages: int, now: float) -> None:
        self.octets, self.messages, self.measured_at = octets, messages, now
        self._arrived.clear()

    def forget(self) -> None:
        self.measured_at = None
        self._arrived.clear()

    def changed(self, octets: int, messages: int) -> None:
        """Messages that a look or a change of ours added (or took, below 0)."""
        self.octets = max(0, self.octets + octets)
        self.messages = max(0, self.messages + messages)

    def arrived(self, path: Path, octets: int, messages: int) -> None:
        """Files went into new/ of a mailbox; the next look there takes them in."""
        before = self._arrived.get(path, (0, 0))
        self._arrived[path] = (before[0] + octets, before[1] + messages)

    def looked(self, path: Path) -> None:
        """What arrived there is counted otherwise now."""
        self._arrived.pop(path, None)

    def total(self, account: Account) -> Usage:
        """What is known now, under the account's limits."""
        octets, messages = self.octets, self.messages
        for more in self._arrived.values():
            octets, messages = octets + more[0], messages + more[1]
        limits = account.storage_limit_octets, account.message_limit
        return Usage(octets, messages, *limits)

    def trusted(
        self, account: Account, now: float, octets: int = 0, messages: int = 0
    ) -> bool:
        """True if it need not be measured to decide about so many more."""
        if self.measured_at is None:
            return False
        held = self.total(account)
        if all(
            limit is None or there <= limit * NEARLY_FULL
            for there, limit in (
                (held.octets + octets, held.limit_octets),
                (held.messages + messages, held.limit_messages),
            )
        ):
            return True
        return now - self.measured_at <= TRUSTED_S


def measured(maildir: str) -> tuple[int, int]:
    """(octets, messages) of every folder; blocks, so in a thread."""
    octets = messages = 0
    for folder in folders.listed(maildir).values():
        for part in ("new", "cur"):
            try:
                names = os.listdir(f"{folder}/{part}")
            except FileNotFoundError:
                continue
            for name in names:
                if name[0] == ".":
                    continue
                found = _SIZE.search(name)
                try:
                    octets += (
                        int(found[1])
                        if found
                        else os.lstat(f"{folder}/{part}/{name}").st_size
                    )
                except FileNotFoundError:
                    continue
                messages += 1
    return octets, messages
