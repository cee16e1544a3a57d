"""OAUTHBEARER and XOAUTH2: whoever issued the token vouches for its bearer."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from ..sasl.bearer import oauthbearer, refusal, xoauth2
from ..secret import Secret
from .credentials import Converse, VouchedCredentials
from .login import Peer


class TokenJudge(Protocol):
    """Knows whose token one is."""

    def judge(self, token: Secret) -> Awaitable[Sequence[str]]:
        """Names of its bearer.  Raises AuthFailed, AuthUnavailable."""


class Bearer:
    """`mechanism` is OAUTHBEARER or XOAUTH2; `scope` and `configuration` (a URL) are
    told to clients whose token is refused."""

    def __init__(
        self, mechanism: str, judge: TokenJudge, scope: str, configuration: str
    ) -> None:
        self._parse = oauthbearer if mechanism == "OAUTHBEARER" else xoauth2
        self._judge = judge
        self._refusal = refusal(mechanism, scope, configuration)

    def offered(self, peer: Peer) -> bool:
        return True

    async def credentials(
        self, initial: bytes | None, converse: Converse, peer: Peer
    ) -> VouchedCredentials:
        proof = self._parse(await converse(b"") if initial is None else initial)

        async def proved() -> Sequence[str]:
            return await self._judge.judge(proof.token)

        async def refuse() -> object:
            return await converse(self._refusal)

        return VouchedCredentials(proof.username, proved, refuse=refuse)
