"""What is believed of mail, from the configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import lru_cache
from random import SystemRandom
from typing import Any

from publicsuffixlist import PublicSuffixList
from twisted.application.service import Service

from ..config.model import Config
from ..delivery.dkim_keys import KeyRing
from ..delivery.signing import Signing
from ..interfaces import IContentCheck, IDelivery, IResolver, IRouter
from ..policy.content import ContentChecks
from ..policy.dmarc_reports import DmarcReports
from ..policy.dmarc_store import FILE, DmarcStore
from ..policy.junk import Junk
from ..policy.origin import Origin, Setting
from ..policy.origin_judging import Found
from ..policy.origin_names import MessageNames
from ..queue.tlsrpt import Reporting
from ..sieve.kept import Keeper, pieces_of
from ..smtp.rooms import in_networks
from ..trust import dmarc
from ..trust.dmarc import Suffixes
from .queue import EpochClock, new_id
from .relay import contact


class Trusting(Service):
    """The checks of mail from strangers, and the reports of what they found."""

    def __init__(
        self,
        reactor: Any,
        config: Config,
        hostname: str,
        *,
        resolver: IResolver,
        router: IRouter,
        delivery: IDelivery,
    ) -> None:
        self.setName("trust")
        self._reactor, self._config, self._hostname = reactor, config, hostname
        self._resolver = resolver
        self._suffixes = suffixes_of(config)
        self._reports: DmarcReports | None = None
        trust = config.trust
        if trust.enabled and trust.reports:
            self._reports = DmarcReports(
                clock=EpochClock(reactor),
                resolver=resolver,
                store=DmarcStore(reactor, os.path.join(config.server.data, FILE)),
                router=router,
                delivery=delivery,
                reporting=Reporting(hostname, contact(config, hostname)),
                new_id=new_id,
                discovery_method="psl" if self._suffixes else "treewalk",
            )

    def checks(self) -> list[IContentCheck]:
        """What is asked of whole messages from strangers."""
        trust = self._config.trust
        if not trust.enabled:
            return []
        origin = Origin(
            Setting(
                trust,
                self._resolver,
                self._hostname,
                authserv_id_of(self._config, self._hostname),
                self._reactor,
                time.time,
                lambda: SystemRandom().uniform(0, 100),
                self._suffixes,
                told=self._told,
                exempt=lru_cache(1024)(
                    lambda address: in_networks(address, trust.exempt_networks)
                ),
            )
        )
        return [origin]

    def _told(self, found: Found) -> None:
        if self._reports is not None:
            self._reports.told(found)

    async def policy_of(self, domain: str) -> str | None:
        """What DMARC asks of mail from a domain (A-labels): "none", "quarantine" or
        "reject"; None if nothing.  Raises DnsUnavailable.

        For mailing lists, which may have to send with another author."""
        names = MessageNames(self._resolver, self._config.trust.look_ups)
        found = await dmarc.policy_of(domain, names, self._suffixes)
        return found[1] if found is not None else None

    def startService(self) -> None:
        super().startService()
        if self._reports is not None:
            self._reports.start()

    def lead(self) -> None:
        """We run the queue: reports are ours to send."""
        if self._reports is not None:
            self._reports.lead()

    async def close(self) -> None:
        """Keep what was counted."""
        if self._reports is not None:
            await self._reports.stop()


def content_checks(
    config: Config,
    hostname: str,
    checks: Sequence[IContentCheck],
    *,
    keeper: Keeper,
    junk: Junk,
) -> ContentChecks | None:
    """The checks of whole messages in their order; None if there are none."""
    if not checks:
        return None
    authserv_id = authserv_id_of(config, hostname)
    return ContentChecks(checks, authserv_id, keeper.kept, pieces_of, junk.filed)


def signing_of(config: Config, hostname: str, seconds: Any) -> Signing | None:
    """What signs the mail that leaves; None if nothing does."""
    trust, dkim = config.trust, config.dkim
    seals = trust.enabled and trust.seal
    if not dkim.enabled and not seals:
        return None
    return Signing(
        KeyRing(config.server.data, seconds),
        authserv_id_of(config, hostname),
        time.time,
        signs=dkim.enabled,
        seals=seals,
        expires_s=round(dkim.expires_s),
    )


def authserv_id_of(config: Config, hostname: str) -> str:
    """Our name in Authentication-Results."""
    return (config.trust.authserv_id or hostname).lower()


def suffixes_of(config: Config) -> Suffixes | None:
    """The organizational domains by the public suffix list, if that is wanted."""
    if config.trust.organization != "list":
        return None
    known = PublicSuffixList()
    return lambda domain: known.privatesuffix(domain) or ""
