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

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address

from ..config.model import Auth
from ..config.option import DAY_S, HOUR_S
from ..errors import AuthThrottled
from .counters import Counters, MemoryCounters

WINDOW_S = HOUR_S
LATELY_S = 30 * DAY_S
MOST_NETWORK_DELAY_S = 10.0
LOCAL = "local"  # peers without an IP address: Unix sockets


class Throttle:
    """`now` gives seconds on a clock that never goes back.

    `counters(kind, window_s)` makes tables, which processes may share; each throttle
    has its own if it is not given.  `user` is a key that is the same for all spellings
    of a name (`names.login_key`).
    """

    def __init__(
        self,
        config: Auth,
        now: Callable[[], float],
        counters: Callable[[str, float], Counters] | None = None,
    ) -> None:
        self._config = config
        make = counters or (lambda kind, window_s: MemoryCounters(now, window_s))
        self._networks = make("networks", WINDOW_S)
        self._accounts = make("accounts", WINDOW_S)
        self._known = make("known", LATELY_S)  # networks that accounts logged in from
        self._pairs = make("pairs", WINDOW_S)  # what those got wrong with the account

    def admit(self, address: str, user: str) -> None:
        """Raises AuthThrottled for a network that failed too often within an hour.

        `user` is empty before somebody has said who they are: then a network from which
        anybody has lately logged in is not refused yet."""
        network = network_of(address)
        if network == LOCAL:  # all users of a web mail, say: nobody to refuse
            return
        pair = pair_of(network, user)
        known = self._known.count(pair)
        count = self._pairs.count(pair) if known else self._networks.count(network)
        if count >= self._config.failures_per_network:
            raise AuthThrottled()

    def succeeded(self, address: str, user: str) -> None:
        """`user` logged in from `address`, which is known from now on."""
        network = network_of(address)
        for who in (user, ""):
            self._known.renew(pair_of(network, who))

    def failed(self, address: str, user: str) -> float:
        """Count a failure; the seconds to wait before it is answered."""
        network = network_of(address)
        by_network = self._networks.add(network) if network != LOCAL else 0
        by_account = self._accounts.add(user)
        pair = pair_of(network, user)
        if self._known.count(pair):
            return self._delay(self._pairs.add(pair), MOST_NETWORK_DELAY_S)
        return max(
            self._delay(by_network, MOST_NETWORK_DELAY_S),
            self._delay(by_account, self._config.most_delay_s),
        )

    def _delay(self, count: int, most: float) -> float:
        if not count:
            return 0.0
        return min(most, self._config.failure_delay_s * 2.0 ** min(count - 1, 32))


def pair_of(network: str, user: str) -> str:
    return f"{network} {user}"  # no network has a blank


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
