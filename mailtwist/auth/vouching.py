"""EXTERNAL and ANONYMOUS: the connection proves who it is, or nobody asks."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from ..errors import AuthFailed
from ..interfaces import ITable
from ..sasl.anonymous import trace
from ..sasl.external import external
from .channel import TlsChannel
from .credentials import Converse, VouchedCredentials
from .login import Peer

log = Logger("mailtwist")

READING = ("pop3", "imap4")  # where nothing is sent to others


class External:
    """`kinds` of names in a certificate count, and what `table` says of it first."""

    def __init__(self, kinds: tuple[str, ...], table: ITable | None = None) -> None:
        self._kinds, self.table = kinds, table

    def offered(self, peer: Peer) -> bool:
        return peer.channel is not None and peer.channel.may_have_certificate()

    async def credentials(
        self, initial: bytes | None, converse: Converse, peer: Peer
    ) -> VouchedCredentials:
        authzid = external(await converse(b"") if initial is None else initial)

        async def proved() -> Sequence[str]:
            if peer.channel is None:
                raise AuthFailed()
            return await self._names(peer.channel)

        return VouchedCredentials(authzid, proved)

    async def _names(self, channel: TlsChannel) -> Sequence[str]:
        """Raises LookupFailed if the table cannot say."""
        fingerprint = channel.fingerprint()
        if self.table is not None and fingerprint:
            account = await self.table.find(fingerprint)
            if account is not None:
                return (account,)
        return channel.identities(self._kinds)


class Anonymous:
    """Whoever asks reads the mail of `account`, and changes it if not `read_only`."""

    def __init__(self, account: str, *, read_only: bool = True) -> None:
        self._account, self._read_only = account, read_only

    def offered(self, peer: Peer) -> bool:
        return peer.protocol in READING

    async def credentials(
        self, initial: bytes | None, converse: Converse, peer: Peer
    ) -> VouchedCredentials:
        said = trace(await converse(b"") if initial is None else initial)
        log.info(
            "{protocol} {session} anonymous, calls itself {trace!r}",
            protocol=peer.protocol,
            session=peer.session,
            trace=said,
        )

        async def proved() -> Sequence[str]:
            return (self._account,)

        return VouchedCredentials("", proved, read_only=self._read_only)
