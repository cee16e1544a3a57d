"""How often a client or an account may do something, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Protocol

from ..config.restricting import Restrictions
from .faults import TooFast

MOST_KEYS = 50_000  # remembered for each limit
MINUTE_S, HOUR_S = 60.0, 3600.0


class Rate:
    """At most `limit` events of a key in `span_s`, spread as they come: a bucket that
    fills up again steadily.  0 is no limit."""

    def __init__(self, limit: int, span_s: float, now: Callable[[], float]) -> None:
        self.limit, self._span_s, self._now = limit, span_s, now
        self._buckets: dict[str, tuple[float, float]] = {}  # key: left, then

    def take(self, key: str) -> bool:
        """True if one more event of `key` is within the limit; then it counts."""
        if not self.limit:
            return True
        now = self._now()
        left, then = self._buckets.pop(key, (float(self.limit), now))
        left = min(self.limit, left + max(0.0, now - then) * self.limit / self._span_s)
        within = left >= 1.0
        self._buckets[key] = (left - 1.0 if within else left, now)
        if len(self._buckets) > MOST_KEYS:
            del self._buckets[next(iter(self._buckets))]
        return within

    def __len__(self) -> int:
        return len(self._buckets)


class Taking(Protocol):
    """See Rate."""

    limit: int

    def take(self, key: str) -> bool: ...


class Entered(Protocol):
    """How many there are of a key just now."""

    def count(self, key: str) -> int: ...

    def add(self, key: str) -> None: ...

    def remove(self, key: str) -> None: ...


Make = Callable[[str, int, float], Taking]  # (name of the limit, limit, seconds)


class Counted:
    """See Entered; in this process."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, key: str) -> int:
        return self._counts[key]

    def add(self, key: str) -> None:
        self._counts[key] += 1

    def remove(self, key: str) -> None:
        self._counts[key] -= 1
        if self._counts[key] <= 0:
            del self._counts[key]


class Rates:
    """The limits of `[restrictions]`, for clients by address and for logins by name.

    Methods raise TooFast.  Who logged in is counted as that alone.
    """

    def __init__(
        self,
        config: Restrictions,
        now: Callable[[], float],
        make: Make | None = None,
        entered: Entered | None = None,
    ) -> None:
        """`make` and `entered` are given where several processes count together."""

        def rate(name: str, span_s: float) -> Taking:
            limit = getattr(config, name)
            return make(name, limit, span_s) if make else Rate(limit, span_s, now)

        self._connections = rate("connections_per_minute", MINUTE_S)
        self._messages = rate("messages_per_minute", MINUTE_S)
        self._recipients = rate("recipients_per_minute", MINUTE_S)
        self._login_messages = rate("login_messages_per_hour", HOUR_S)
        self._login_recipients = rate("login_recipients_per_hour", HOUR_S)
        self._login_connections = config.login_connections
        self._entered = entered or Counted()

    def connection(self, address: str) -> None:
        """A client connected."""
        if self._connections.limit and not self._connections.take(network(address)):
            raise TooFast("Too many connections from you, try again later")

    def message(self, address: str, login: str) -> None:
        """MAIL."""
        self._count(self._messages, self._login_messages, address, login)

    def recipient(self, address: str, login: str) -> None:
        """RCPT."""
        self._count(self._recipients, self._login_recipients, address, login)

    def enter(self, login: str) -> None:
        """A connection logged in; `leave` when that ends."""
        if self._login_connections:
            if self._entered.count(login) >= self._login_connections:
                raise TooFast("Too many connections of this login", status="4.7.0")
            self._entered.add(login)

    def leave(self, login: str) -> None:
        """A login of `enter` ended."""
        if self._login_connections:
            self._entered.remove(login)

    def _count(self, client: Taking, account: Taking, address: str, login: str) -> None:
        rate = account if login else client
        if rate.limit and not rate.take(login or network(address)):
            raise TooFast()


def network(address: str) -> str:
    """The IPv4 address, or the IPv6 /64, that counts as one client."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    return address if ip.version == 4 else f"{ip.exploded[:19]}::/64"
