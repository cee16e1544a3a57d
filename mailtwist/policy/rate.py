"""How often a client or an account may do something, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

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


class Rates:
    """The limits of `[restrictions]`, for clients by address and for logins by name.

    Methods raise TooFast.  Who logged in is counted as that alone.
    """

    def __init__(self, config: Restrictions, now: Callable[[], float]) -> None:
        def per_minute(limit: int) -> Rate:
            return Rate(limit, MINUTE_S, now)

        self._connections = per_minute(config.connections_per_minute)
        self._messages = per_minute(config.messages_per_minute)
        self._recipients = per_minute(config.recipients_per_minute)
        self._login_messages = Rate(config.login_messages_per_hour, HOUR_S, now)
        self._login_recipients = Rate(config.login_recipients_per_hour, HOUR_S, now)
        self._login_connections = config.login_connections
        self._entered = Counter[str]()

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
            if self._entered[login] >= self._login_connections:
                raise TooFast("Too many connections of this login", status="4.7.0")
            self._entered[login] += 1

    def leave(self, login: str) -> None:
        """A login of `enter` ended."""
        if self._entered[login] <= 1:
            del self._entered[login]
        else:
            self._entered[login] -= 1

    def _count(self, client: Rate, account: Rate, address: str, login: str) -> None:
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
