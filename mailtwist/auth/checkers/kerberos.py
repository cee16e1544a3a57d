"""GSSAPI (RFC 4752): a ticket of a KDC vouches for its bearer.

Needs the extra `mailtwist[gssapi]`.  Every call of the library may read the keytab and
write the replay cache, so all run in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import TimeoutError
from twisted.logger import Logger

from ...config.vouching import Gssapi
from ...errors import AuthFailed, AuthUnavailable, ConfigError, SyntaxFault
from ...sasl.gssapi import OFFER, answer
from ..credentials import Converse, VouchedCredentials
from ..login import SERVICES, Peer
from .hash_pool import HashPool

log = Logger("mailtwist")

MOST_STEPS = 10  # of one exchange; Kerberos needs one or two

Result = TypeVar("Result")


class Kerberos:
    """The mechanism, for tickets to the services in a keytab."""

    def __init__(self, reactor: Any, config: Gssapi) -> None:
        """Raises ConfigError without the library."""
        try:
            import gssapi
        except ImportError as fault:
            raise ConfigError(
                "gssapi.keytab needs the extra: pip install 'mailtwist[gssapi]'"
            ) from fault
        self._gssapi: Any = gssapi
        self._reactor, self._config = reactor, config
        self._pool = HashPool(reactor, config.threads)

    def offered(self, peer: Peer) -> bool:
        return True

    def stop(self) -> None:
        self._pool.stop()

    async def credentials(
        self, initial: bytes | None, converse: Converse, peer: Peer
    ) -> VouchedCredentials:
        """The whole conversation: who wants to be whom is said last."""
        service = SERVICES.get(peer.protocol, peer.protocol)
        context = await self._run(self._context)
        token = await converse(b"") if initial is None else initial
        for _ in range(MOST_STEPS):
            said = await self._run(partial(context.step, token))
            if context.complete:
                break
            token = await converse(said or b"")
        else:
            raise AuthFailed("Too long a Kerberos exchange")
        if said and await converse(said):
            raise SyntaxFault("an empty response", 0)
        principal, target = await self._run(
            lambda: (str(context.initiator_name), str(context.target_name))
        )
        if not target.startswith(f"{service}/"):
            raise AuthFailed("Ticket for another service")
        offer = await self._run(lambda: context.wrap(OFFER, False).message)
        chosen = await converse(offer)
        plain = await self._run(lambda: context.unwrap(chosen).message)
        authzid = answer(plain)

        async def proved() -> Sequence[str]:
            return self.accounts(principal)

        return VouchedCredentials(authzid, proved)

    def accounts(self, principal: str) -> Sequence[str]:
        """Of `user@REALM`; none for other realms and for `user/instance`."""
        user, _, realm = principal.rpartition("@")
        if realm not in self._config.realms or set(user) & set("/@\\"):
            return ()
        return (f"{user}@{self._config.domain or realm.lower()}",)

    def _context(self) -> Any:
        gssapi = self._gssapi
        store = {"keytab": self._config.keytab}
        try:
            keys = gssapi.Credentials(usage="accept", store=store)
        except gssapi.raw.misc.GSSError as fault:
            log.error("gssapi.keytab: {why}", why=str(fault))
            raise AuthUnavailable() from fault
        return gssapi.SecurityContext(creds=keys, usage="accept")

    async def _run(self, call: Callable[[], Result]) -> Result:
        """Raises AuthFailed for what a client said wrong, AuthUnavailable for what is
        wrong with us."""
        done = self._pool.run(call)
        done.addTimeout(self._config.timeout_s, self._reactor)
        try:
            result: Result = await done
        except TimeoutError as fault:
            raise AuthUnavailable() from fault
        except self._gssapi.raw.misc.GSSError as fault:
            raise AuthFailed(f"Kerberos: {type(fault).__name__}") from fault
        return result
