"""Failed logins are slowed; a correct password never pays for somebody else's guesses.

Two counters.  A *network* (one IPv4 address, one IPv6 /64) that fails again and again
waits longer and is refused in the end.  An *account* that is guessed at delays the
failing attempts by at most `most_delay_s` and never refuses; networks from which it has
lately logged in do not feel that counter.  Only a failure waits, so a right password is
answered at once.  Memory is bounded: the longest unused entries go first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address

from attrs import define

from ..config.model import Auth
from ..errors import AuthThrottled

FORGET_S = 3600.0
MOST_ENTRIES = 50_000
MOST_NETWORK_DELAY_S = 20.0
LOCAL = "local"


@define
class Failures:
    count: int = 0
    last_at: float = 0.0


class Throttle:
    """`now` gives seconds on a clock that never goes back."""

    def __init__(self, config: Auth, now: Callable[[], float]) -> None:
        self._config, self._now = config, now
        self._networks: OrderedDict[str, Failures] = OrderedDict()
        self._accounts: OrderedDict[str, Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def admit(self, address: str) -> None:
        """Raises AuthThrottled for a network that failed too often within an hour."""
        network = network_of(address)
        if network == LOCAL:
            return
        failures = self._current(self._networks, network)
        if failures.count >= self._config.failures_per_network:
            raise AuthThrottled()

    def succeeded(self, address: str, user: str) -> None:
        """`user` logged in from `address`: both are in good standing."""
        key = (network_of(address), user.casefold())
        self._known[key] = self._now()
        self._known.move_to_end(key)
        self._bound(self._known)

    def failed(self, address: str, user: str) -> float:
        """Count a failure; the seconds to wait before it is answered."""
        network, account = network_of(address), user.casefold()
        delay = 0.0
        if network != LOCAL:
            count = self._count(self._networks, network)
            delay = self._delay(count, MOST_NETWORK_DELAY_S)
        count = self._count(self._accounts, account)
        if not self._is_known(network, account):
            delay = max(delay, self._delay(count, self._config.most_delay_s))
        return delay

    def _delay(self, count: int, most: float) -> float:
        return min(most, self._config.failure_delay_s * 2.0 ** min(count - 1, 16))

    def _is_known(self, network: str, account: str) -> bool:
        last = self._known.get((network, account))
        return last is not None and self._now() - last < 30 * 24 * FORGET_S

    def _current(self, table: OrderedDict[str, Failures], key: str) -> Failures:
        failures = table.get(key)
        if failures is None or self._now() - failures.last_at > FORGET_S:
            return Failures()
        return failures

    def _count(self, table: OrderedDict[str, Failures], key: str) -> int:
        failures = self._current(table, key)
        failures.count += 1
        failures.last_at = self._now()
        table[key] = failures
        table.move_to_end(key)
        self._bound(table)
        return failures.count

    @staticmethod
    def _bound(
        table: OrderedDict[str, Failures] | OrderedDict[tuple[str, str], float],
    ) -> None:
        while len(table) > MOST_ENTRIES:
            table.popitem(last=False)


def network_of(address: str) -> str:
    """The IPv4 address or IPv6 /64; "local" for what is no IP address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return LOCAL
    if parsed.version == 6:
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{parsed.exploded[:19]}::/64"
    return str(parsed)
