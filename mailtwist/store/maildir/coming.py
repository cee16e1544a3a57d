"""What clients of this process are just now sending, by account and by domain.

RCPT counts it as if it were there, so that not everybody is promised the last places.
"""

from __future__ import annotations

from collections.abc import Callable

from ...directory.model import Account
from .ledger import Amount

_EMPTY = (0, 0)


class Coming:
    """Octets and messages that were announced, until they are there or given up."""

    def __init__(self) -> None:
        self._homes: dict[str, Amount] = {}
        self._domains: dict[str, Amount] = {}

    def begun(self, account: Account, octets: int) -> Callable[[], None]:
        """A message is begun; call what is returned once, when it is over."""
        self._add(account, octets, 1)
        return lambda: self._add(account, -octets, -1)

    def _add(self, account: Account, octets: int, messages: int) -> None:
        _put(self._homes, account.home, octets, messages)
        if account.domain is not None:
            _put(self._domains, account.domain.name, octets, messages)

    def to(self, account: Account) -> Amount:
        return self._homes.get(account.home, _EMPTY)

    def beside(self, account: Account) -> Amount:
        """To the other accounts of its domain."""
        if account.domain is None:
            return _EMPTY
        octets, messages = self._domains.get(account.domain.name, _EMPTY)
        own = self.to(account)
        return max(0, octets - own[0]), max(0, messages - own[1])


def _put(amounts: dict[str, Amount], key: str, octets: int, messages: int) -> None:
    before = amounts.get(key, _EMPTY)
    after = before[0] + octets, before[1] + messages
    if after == _EMPTY:
        amounts.pop(key, None)
    else:
        amounts[key] = after
