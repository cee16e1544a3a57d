"""Checks in their order, and checks that are made of others."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from ..errors import MailError
from ..interfaces import ICheck
from ..log import mail_log
from . import faults
from .model import Verdict, Visit
from .orders import Orders


async def first_of(checks: Sequence[ICheck], visit: Visit) -> Verdict:
    """ALLOW from the first that allows, else GO_ON.

    Raises the MailError of the first that refuses; in place of a permanent one the
    reason to defer that was found before it."""
    for check in checks:
        try:
            if await check.check(visit) is Verdict.ALLOW:
                return Verdict.ALLOW
        except MailError as fault:
            later = visit.orders.defer_if_reject
            if later is not None and not fault.temporary:
                raise later from fault
            raise
    return Verdict.GO_ON


@implementer(ICheck)
class Listed:
    """A class of restrictions: its checks as one."""

    def __init__(self, checks: Sequence[ICheck]) -> None:
        self._checks = checks

    def begin(self, visit: Visit) -> None:
        """Those of its checks."""
        for check in self._checks:
            check.begin(visit)

    async def check(self, visit: Visit) -> Verdict:
        return await first_of(self._checks, visit)


@implementer(ICheck)
class WarnIfReject:
    """What the check refuses is written into the log, and no more."""

    def __init__(self, check: ICheck) -> None:
        self._check = check

    def begin(self, visit: Visit) -> None:
        """That of its check."""
        self._check.begin(visit)

    async def check(self, visit: Visit) -> Verdict:
        try:
            return await self._check.check(visit)
        except MailError as fault:
            text = f"would be refused: {fault.status} {fault.public}"
            mail_log.told_by_policy(visit.session, "WARN", text, about(visit))
            return Verdict.GO_ON


@implementer(ICheck)
class Defers:
    """`defer_if_permit` and `defer_if_reject` as words."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def begin(self, visit: Visit) -> None:
        """Nothing."""

    async def check(self, visit: Visit) -> Verdict:
        visit.order(self._orders)
        return Verdict.GO_ON


def later() -> MailError:
    """What these words tell."""
    return faults.Coded(450, "4.7.1")


def about(visit: Visit) -> dict[str, str]:
    """What a line of the log tells of a client and its message."""
    known = {"client": visit.address, "helo": visit.helo, "login": visit.login}
    if visit.sender is not None:
        known["from"] = str(visit.sender)
    if visit.recipient is not None:
        known["to"] = str(visit.recipient)
    return {name: text for name, text in known.items() if text}
