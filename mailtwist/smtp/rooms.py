"""What the sessions of a listener work with, and what they offer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import cast

from attrs import field, frozen

from ..auth.login import Authenticator, Login, Peer
from ..config.model import Smtp
from ..config.restricting import Restrictions
from ..foreign import IWayIn, missing
from ..imap4.url_access import UrlAccess
from ..interfaces import IDelivery, IRouter
from ..policy.content import ContentChecks
from ..policy.pipeline import Pipeline
from ..policy.rate import Rates
from .authorship import OFF, Authorship
from .command import Mail, Offer

Network = IPv4Network | IPv6Network
Flush = Callable[[str], Awaitable[None]]

MOST_LIMIT = 999_999  # six digits, RFC 9422


@frozen
class Rooms:
    """What every session of a factory works with; `now` gives seconds of the epoch.

    `flush(domain)` starts what waits in the queue for a domain.  `urls` opens what BURL
    names.  `content` checks whole messages of strangers, None if nothing does.
    """

    config: Smtp
    hostname: str
    role: str  # "smtp", "submission" or "lmtp"
    authenticator: Authenticator
    router: IRouter
    delivery: IDelivery
    trusted_networks: Sequence[Network]
    now: Callable[[], float]
    restrictions: Restrictions
    policy: Pipeline
    rates: Rates
    flush: Flush | None = None
    urls: UrlAccess | None = None
    content: ContentChecks | None = None
    _withheld: frozenset[str] = field(init=False)
    _limits: str = field(init=False)

    @_withheld.default
    def _(self) -> frozenset[str]:
        return frozenset(self.config.withheld)

    @_limits.default
    def _(self) -> str:
        """RFC 9422."""
        config = self.config
        limits = [
            f"MAILMAX={min(config.messages, MOST_LIMIT)}",
            f"RCPTMAX={min(config.recipients, MOST_LIMIT)}",
        ]
        if config.recipient_domains:
            limits.append(f"RCPTDOMAINMAX={min(config.recipient_domains, MOST_LIMIT)}")
        return " ".join(limits)

    def offer(
        self,
        peer: Peer,
        *,
        starttls: bool,
        login: bool,
        proxy: bool,
        etrn: bool,
        burl: str | None = None,
    ) -> Offer:
        """What a client is offered in its present state.

        `starttls` if TLS can be started; `login` if there is one; `proxy` if it is a
        trusted proxy; `etrn` if it may say ETRN whatever its network."""
        config, tls, lmtp = self.config, peer.tls, self.role == "lmtp"
        mechanisms: tuple[str, ...] = ()
        if not login and not lmtp:
            mechanisms = self.authenticator.mechanisms(peer)
        return Offer(
            config.message_octets,
            starttls and not tls,
            mechanisms,
            tls,
            lmtp,
            self._withheld,
            config.deliver_by_s,
            self._hold() if self.role == "submission" else "",
            self._limits,
            self._has_etrn()
            and (etrn or in_networks(peer.address, self.restrictions.etrn_networks)),
            proxy,
            burl,
        )

    def burl(self, login: Login | None) -> str | None:
        """What stands behind BURL (RFC 4468 §3.3): nothing before a login; None if the
        client cannot have it."""
        if self.urls is None or self.role != "submission":
            return None
        if login is None:
            return ""
        if "URLAUTH" in missing(login.account):
            return None
        return f"imap imap://{self.hostname}"

    def way_in(self, login: Login | None) -> IWayIn:
        """The router and the delivery for what a client sends."""
        if login is not None and IWayIn.providedBy(login.account):
            return cast(IWayIn, login.account)
        return cast(IWayIn, self)

    def authorship(self, login: Login, mail: Mail) -> Authorship | None:
        """What judges whom a message of the login is from; None if nobody asks.

        Where the login has a way of its own that decides."""
        config = self.config
        if config.author_check == OFF or IWayIn.providedBy(login.account):
            return None
        return Authorship(
            config.author_check,
            config.author_resent,
            login.account.may_send_as,
            mail.reverse_path,
            login.name,
            mail.wishes.smtputf8,
        )

    def _hold(self) -> str:
        """max-future-release-interval and -date-time (RFC 4865)."""
        longest = self.config.hold_s
        if not longest:
            return ""
        until = datetime.fromtimestamp(int(self.now()) + longest, UTC)
        return f"{longest} {until:%Y-%m-%dT%H:%M:%SZ}"

    def _has_etrn(self) -> bool:
        return self.flush is not None and bool(self.restrictions.etrn_domains)


def plain_address(address: object) -> str:
    """A transport's address as text, IPv4 in IPv6 as IPv4; "local" for none."""
    if not isinstance(address, str):
        return "local"
    if address[:7].lower() == "::ffff:":
        try:
            mapped = IPv6Address(address).ipv4_mapped
        except ValueError:
            return address
        return str(mapped) if mapped is not None else address
    return address


def in_networks(address: str, networks: Sequence[Network]) -> bool:
    """True if the IP address (IPv4 in IPv6 as IPv4) is in one of them."""
    if not networks:
        return False
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)
