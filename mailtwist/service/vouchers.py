"""From `[oidc]`, `[gssapi]` and client certificates to mechanisms."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..auth.bearer import Bearer
from ..auth.checkers.kerberos import Kerberos
from ..auth.login import Voucher
from ..auth.vouching import Anonymous, External
from ..config.model import Config
from ..config.vouching import Oidc
from ..errors import ConfigError
from ..interfaces import ITable
from ..secret import Secret


class Vouchers:
    """Mechanisms in which somebody vouches for the client, those that are configured.

    Raises ConfigError for settings that cannot be used."""

    def __init__(self, reactor: Any, config: Config) -> None:
        self.by_mechanism: dict[str, Voucher] = {}
        self._external: External | None = None
        self._kerberos: Kerberos | None = None
        self._table = config.auth.certificate_table
        if config.tls.client_ca:
            self._external = External(config.auth.certificate_names)
            self.by_mechanism["EXTERNAL"] = self._external
        if config.auth.anonymous:
            self.by_mechanism["ANONYMOUS"] = Anonymous(
                config.auth.anonymous, read_only=config.auth.anonymous_read_only
            )
        if config.oidc.issuer:
            self._bearer(reactor, config.oidc)
        if config.gssapi.keytab:
            self._kerberos = Kerberos(reactor, config.gssapi)
            self.by_mechanism["GSSAPI"] = self._kerberos

    def _bearer(self, reactor: Any, config: Oidc) -> None:
        try:
            from ..auth.checkers.oidc import WELL_KNOWN, Provider
        except ImportError as fault:
            raise ConfigError(
                "oidc.issuer needs the extra: pip install 'mailtwist[oidc]'"
            ) from fault
        from .transports import web_agent

        agent = web_agent(reactor, config.ca)
        provider = Provider(reactor, agent, config, secret_in(config), time.time)
        place = config.issuer.rstrip("/") + WELL_KNOWN
        for name in ("OAUTHBEARER", "XOAUTH2"):
            self.by_mechanism[name] = Bearer(name, provider, config.scope, place)

    def give_tables(self, by_name: Mapping[str, ITable]) -> None:
        if self._external is not None and self._table:
            self._external.table = by_name[self._table]

    def close(self) -> None:
        if self._kerberos is not None:
            self._kerberos.stop()


def secret_in(config: Oidc) -> Secret:
    """What `oidc.client_secret` holds.  Raises ConfigError."""
    path = config.client_secret
    if not path:
        return Secret(b"")
    try:
        file = Path(path)
        if file.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: readable by others; chmod 600")
        return Secret(file.read_bytes().strip())
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
