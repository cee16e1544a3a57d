"""What is believed of mail, from the configuration."""

from __future__ import annotations

import time
from random import SystemRandom
from typing import Any

from publicsuffixlist import PublicSuffixList

from ..config.model import Config
from ..delivery.dkim_keys import KeyRing
from ..delivery.signing import Signing
from ..interfaces import IResolver
from ..policy.content import ContentChecks
from ..policy.junk import Junk
from ..policy.origin import Origin, Setting
from ..sieve.kept import Keeper, pieces_of
from ..smtp.rooms import in_networks
from ..trust.dmarc import Suffixes


def content_checks(
    reactor: Any,
    config: Config,
    hostname: str,
    *,
    resolver: IResolver,
    keeper: Keeper,
    junk: Junk,
) -> ContentChecks | None:
    """The checks of whole messages from strangers; None if there are none."""
    trust = config.trust
    authserv_id = authserv_id_of(config, hostname)
    if not trust.enabled:
        return None
    origin = Origin(
        Setting(
            trust,
            resolver,
            hostname,
            authserv_id,
            reactor,
            time.time,
            lambda: SystemRandom().uniform(0, 100),
            suffixes_of(config),
            exempt=lambda address: in_networks(address, trust.exempt_networks),
        )
    )
    return ContentChecks([origin], authserv_id, keeper.kept, pieces_of, junk.filed)


def signing_of(config: Config, hostname: str, seconds: Any) -> Signing | None:
    """What signs the mail that leaves; None if nothing does."""
    trust, dkim = config.trust, config.dkim
    seals = trust.enabled and trust.seal
    if not dkim.enabled and not seals:
        return None
    ring = KeyRing(config.server.data, seconds)
    return Signing(
        ring,
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
