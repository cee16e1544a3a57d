"""Failed logins are slowed; a right password never pays for somebody else's guesses.

Each counter is for an hour from its first failure:

- An *address* that fails waits longer each time, and is refused for the rest of the
  hour after `failures_per_network`; an IPv6 /64 after NEIGHBOURS times that.
- An *account* that is guessed at delays failures by at most `most_delay_s`.
- A *wide network* (IPv4 /24, IPv6 /48), that account, and the whole server make
  strangers wait before they are heard: one who gets no answer learns nothing by hanging
  up, one who is right gets in.  They refuse nobody.
- A *known pair*: where an account has lately logged in, it feels none of these, only
  what was got wrong with it from there.

`docs/throttle.md` tells why.  Memory is bounded; what was unused longest goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from attrs import frozen
from twisted.logger import Logger

from ..config.model import Auth
from ..config.option import DAY_S, HOUR_S
from ..errors import AuthThrottled
from .counters import Counters, MemoryCounters

log = Logger("mailtwist")

WINDOW_S = HOUR_S
LATELY_S = 30 * DAY_S
MOST_NETWORK_DELAY_S = 10.0
NEIGHBOURS = 4  # as many failures as of one address are a /64's
ACCOUNT_STEP = 5  # failures for which strangers wait once more
WIDE_STEP = 10
NEAR_IPV6, WIDE_IPV6 = 64, 48
LOCAL = "local"  # peers without an IP address: Unix sockets
SERVER = "server"  # the key of the one counter of everybody


@frozen
class Origin:
    """Where a login comes from: `near` is whose it is, an IPv4 address or IPv6 /64.

    `wide` is the network around, "" for none.
    """

    single: str
    near: str
    wide: str

    @property
    def local(self) -> bool:
        return self.near == LOCAL


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
        self._networks = make("networks", WINDOW_S)  # and addresses
        self._wide = make("wide", WINDOW_S)
        self._accounts = make("accounts", WINDOW_S)
        self._known = make("known", LATELY_S)  # networks that accounts logged in from
        self._pairs = make("pairs", WINDOW_S)  # what those got wrong with the account
        self._server = make("server", WINDOW_S)

    def admit(self, address: str, user: str) -> float:
        """The seconds to wait before the password is looked at.

        Raises AuthThrottled for an address that failed too often within an hour.
        `user` is empty before somebody has said who they are: then a network from which
        anybody has lately logged in is not refused yet, and nobody has to wait."""
        origin = self._origin(address)
        pair = pair_of(origin.near, user)
        if self._known.count(pair):
            if not origin.local and self._pairs.count(pair) >= self._most:
                raise AuthThrottled()
            return 0.0
        if not origin.local and self._too_many(origin):
            raise AuthThrottled()
        return self._wait(origin, user) if user else 0.0

    def succeeded(self, address: str, user: str) -> None:
        """`user` logged in from `address`, which is known from now on."""
        origin = self._origin(address)
        for who in (user, ""):
            self._known.renew(pair_of(origin.near, who))
        if origin.wide:
            self._known.renew(pair_of(origin.wide, user))

    def failed(self, address: str, user: str) -> float:
        """Count a failure; the seconds from the attempt to the answer."""
        origin = self._origin(address)
        by_network = 0 if origin.local else self._add(origin)
        pair = pair_of(origin.near, user)
        if self._known.count(pair):
            return self._delay(self._pairs.add(pair), MOST_NETWORK_DELAY_S)
        if not origin.local:
            if origin.wide:
                self._wide.add(origin.wide)
            if self._server.add(SERVER) == self._config.failures_per_server:
                log.warn(
                    "{count} logins of strangers failed within an hour: logins from "
                    "where nobody has logged in before wait",
                    count=self._config.failures_per_server,
                )
        return max(
            self._delay(by_network, MOST_NETWORK_DELAY_S),
            self._delay(self._accounts.add(user), self._config.most_delay_s),
        )

    @property
    def _most(self) -> int:
        return self._config.failures_per_network

    def _origin(self, address: str) -> Origin:
        return origin_of(address, self._config.ipv4_prefix)

    def _too_many(self, origin: Origin) -> bool:
        """True if an address is refused, or the /64 around it."""
        if self._networks.count(origin.single) >= self._most:
            return True
        around = origin.near != origin.single
        return around and self._networks.count(origin.near) >= NEIGHBOURS * self._most

    def _add(self, origin: Origin) -> int:
        """Count one more; an address pays for its /64 too."""
        count = self._networks.add(origin.single)
        if origin.near != origin.single:
            count = self._networks.add(origin.near)
        return count

    def _wait(self, origin: Origin, user: str) -> float:
        """How long a stranger to this account waits, by how much is guessed."""
        if origin.wide and self._known.count(pair_of(origin.wide, user)):
            return 0.0
        steps = self._accounts.count(user) // ACCOUNT_STEP
        if not origin.local and not self._known.count(pair_of(origin.near, "")):
            steps = max(
                steps,
                self._wide.count(origin.wide) // WIDE_STEP if origin.wide else 0,
                self._server.count(SERVER) // self._config.failures_per_server,
            )
        return min(self._config.most_delay_s, self._config.failure_delay_s * steps)

    def _delay(self, count: int, most: float) -> float:
        if not count:
            return 0.0
        return min(most, self._config.failure_delay_s * 2.0 ** min(count - 1, 32))


def pair_of(network: str, user: str) -> str:
    return f"{network} {user}"  # no network has a blank


@lru_cache(4096)
def origin_of(address: str, ipv4_prefix: int = 24) -> Origin:
    """`ipv4_prefix` is the length of wide networks, 32 for none."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return Origin(LOCAL, LOCAL, "")
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            near = network_around(parsed, NEAR_IPV6)
            return Origin(str(parsed), near, network_around(parsed, WIDE_IPV6))
        parsed = parsed.ipv4_mapped
    wide = network_around(parsed, ipv4_prefix) if ipv4_prefix < 32 else ""
    return Origin(str(parsed), str(parsed), wide)


def network_around(address: IPv4Address | IPv6Address, prefix: int) -> str:
    return str(ip_network((address, prefix), strict=False))
