"""DNS for the checks of one message: so many questions and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dns.model import Answer
from ..errors import DnsUnavailable, NoSuchDomain
from ..interfaces import IResolver


class MessageNames:
    """`trust.model.INames` by a resolver.

    After `most` look-ups DNS does not answer any more; what was asked already is not
    counted again."""

    def __init__(self, resolver: IResolver, most: int) -> None:
        self._resolver, self._left = resolver, most
        self._asked: set[str] = set()

    async def txt(self, name: str) -> Sequence[bytes]:
        self._count(f"TXT {name}")
        try:
            return _records(await self._resolver.txt(name))
        except NoSuchDomain:
            return ()

    async def addresses(self, name: str, *, ipv6: bool) -> Sequence[str]:
        self._count(f"{'AAAA' if ipv6 else 'A'} {name}")
        try:
            answer = await self._resolver.addresses(name, ipv4=not ipv6, ipv6=ipv6)
        except NoSuchDomain:
            return ()
        return _records(answer)

    async def mx(self, name: str) -> Sequence[tuple[int, str]]:
        self._count(f"MX {name}")
        try:
            return _records(await self._resolver.mx(name))
        except NoSuchDomain:
            return ()

    async def ptr(self, address: str) -> Sequence[str]:
        self._count(f"PTR {address}")
        try:
            return _records(await self._resolver.ptr(address))
        except NoSuchDomain:
            return ()

    def _count(self, question: str) -> None:
        if question in self._asked:
            return
        if self._left <= 0:
            raise DnsUnavailable("Too many look-ups for one message")
        self._left -= 1
        self._asked.add(question)


def _records(answer: Answer) -> Sequence[Any]:
    return answer.records
