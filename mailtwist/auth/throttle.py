"""Failed logins are slowed; a right password never pays for somebody else's guesses.

Three counters, each for an hour from its first failure:

- A *network* (one IPv4 address, one IPv6 /64) that fails waits longer each time, and is
  refused for the rest of the hour after `failures_per_network`.
- An *account* that is guessed at delays failures by at most `most_delay_s` and never
  refuses anybody.
- A *known pair*: networks from which an account has lately logged in do not feel those
  two for this account, only what they themselves got wrong with it.

Only a failure waits: a right password is answered at once.  Memory is bounded; what was
unused longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import TypeVar

from attrs import define

from ..config.model import Auth
from ..config.option import DAY_S, HOUR_S
from ..errors import AuthThrottled

WINDOW_S = HOUR_S
LATELY_S = 30 * DAY_S
MOST_ENTRIES = 50_000  # in each table; some 10 MB when all are full
MOST_NETWORK_DELAY_S = 10.0
LOCAL = "local"  # peers without an IP address: Unix sockets


@define
class Failures:
    count: int = 0
    ends_at: float = float("-inf")  # of the hour that is counted


@define
class Known:
    """A network from which an account has logged in."""

    until: float
    failures: Failures


Key = TypeVar("Key")
Value = TypeVar("Value")


class Throttle:
    """`now` gives seconds on a clock that never goes back.

    `user` is a key that is the same for all spellings of a name (`names.login_key`).
    """

    def __init__(self, config: Auth, now: Callable[[], float]) -> None:
        self._config, self._now = config, now
        self._networks: OrderedDict[str, Failures] = OrderedDict()
        self._accounts: OrderedDict[str, Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()

    def admit(self, address: str, user: str) -> None:
        """Raises AuthThrottled for a network that failed too often within an hour."""
        network = network_of(address)
        if network == LOCAL:  # all users of a web mail, say: nobody to refuse
            return
        known = self._pair(network, user)
        failures = known.failures if known else self._networks.get(network)
        if failures is not None and self._count(failures) >= self._limit:
            raise AuthThrottled()

    def succeeded(self, address: str, user: str) -> None:
        """`user` logged in from `address`, which is known from now on."""
        pair = network_of(address), user
        known = self._known.get(pair)
        failures = known.failures if known is not None else Failures()
        put(self._known, pair, Known(self._now() + LATELY_S, failures))

    def failed(self, address: str, user: str) -> float:
        """Count a failure; the seconds to wait before it is answered."""
        network = network_of(address)
        by_network = 0
        if network != LOCAL:
            by_network = self._counted(self._networks, network)
        by_account = self._counted(self._accounts, user)
        known = self._pair(network, user)
        if known is not None:
            self._add(known.failures)
            return self._delay(known.failures.count, MOST_NETWORK_DELAY_S)
        return max(
            self._delay(by_network, MOST_NETWORK_DELAY_S),
            self._delay(by_account, self._config.most_delay_s),
        )

    @property
    def _limit(self) -> int:
        return self._config.failures_per_network

    def _delay(self, count: int, most: float) -> float:
        if not count:
            return 0.0
        return min(most, self._config.failure_delay_s * 2.0 ** min(count - 1, 32))

    def _pair(self, network: str, user: str) -> Known | None:
        known = self._known.get((network, user))
        return known if known is not None and known.until > self._now() else None

    def _count(self, failures: Failures) -> int:
        return failures.count if failures.ends_at > self._now() else 0

    def _add(self, failures: Failures) -> None:
        failures.count = self._count(failures) + 1
        if failures.count == 1:
            failures.ends_at = self._now() + WINDOW_S

    def _counted(self, table: OrderedDict[str, Failures], key: str) -> int:
        failures = table.get(key) or Failures()
        self._add(failures)
        put(table, key, failures)
        return failures.count


def put(table: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    """Set `key` as the youngest; the oldest goes if there are too many."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > MOST_ENTRIES:
        table.popitem(last=False)


@lru_cache(4096)
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
