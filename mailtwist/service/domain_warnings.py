"""Postmasters of limited domains are told when their accounts fill the domain."""

from __future__ import annotations

import os
import time
from collections.abc import Coroutine, Iterable
from email.utils import formatdate
from typing import Any

from attrs import frozen
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..address import Address
from ..config.limiting import percents
from ..config.model import Config
from ..delivery import own_mail
from ..directory.limited import shared_limits
from ..directory.model import DomainLimit
from ..errors import MailError
from ..interfaces import IDelivery, IRouter
from ..store.maildir import domain_sum
from ..store.maildir.durable import fault_of
from ..store.maildir.warning import sized
from .queue import new_id
from .quiet_work import QuietWork

log = Logger("mailtwist")

EVERY_S = 60.0
MOST_OCTETS = 16  # of what a file says
TEXT = """Date: {date}
From: Mail server <postmaster@{hostname}>
To: <postmaster@{domain}>
Subject: The mailboxes of {domain} are {percent}% full
Message-ID: <quota.{id}@{hostname}>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

All accounts of {domain} together hold {held}.

When nothing is left, new mail for every one of them is refused.  `mailtwist
quota list` shows who holds how much.
"""


@frozen
class Fill:
    """A domain of which `level` percent or more are taken, 0 below all thresholds;
    `told`: the level that its postmaster knows of."""

    limit: DomainLimit
    level: int
    told: int
    held: str

    @property
    def file(self) -> str:
        """Beside the sum, and named as no domain is."""
        folder, name = os.path.split(self.limit.file)
        return os.path.join(folder, f".{name}.told")


class DomainWarnings(QuietWork):
    """Looks at the sums now and then; of all processes one does.  `defer` runs work in
    a thread."""

    doing = "warning of full domains"

    def __init__(
        self,
        reactor: Any,
        config: Config,
        hostname: str,
        *,
        router: IRouter,
        delivery: IDelivery,
        defer: Any,
    ) -> None:
        self._reactor, self._hostname, self._defer = reactor, hostname, defer
        self._router, self._delivery = router, delivery
        self._thresholds = percents(config.quota.warn_at)
        self._limits = shared_limits(config)

    def work(self) -> Coroutine[Any, Any, None] | None:
        """See QuietWork."""
        return self._run() if self._thresholds and self._limits else None

    async def _run(self) -> None:
        while True:
            await deferLater(self._reactor, EVERY_S)
            for limit in self._limits:
                try:
                    await self._look(limit)
                except (MailError, OSError) as fault:
                    why = fault.public if isinstance(fault, MailError) else fault
                    log.error(
                        "postmaster of {name} is not told that it is nearly full: "
                        "{why}",
                        name=limit.name,
                        why=why,
                    )

    async def _look(self, limit: DomainLimit) -> None:
        """Told first and noted then: rather twice than never."""
        fill: Fill = await self._defer(looked, limit, self._thresholds)
        if fill.level > fill.told:
            await self._tell(fill)
        if fill.level != fill.told:
            await self._defer(note, fill)

    async def _tell(self, fill: Fill) -> None:
        name, message_id = fill.limit.name, new_id()
        text = TEXT.format(
            date=formatdate(time.time()),
            hostname=self._hostname,
            domain=name,
            percent=fill.level,
            id=message_id,
            held=fill.held,
        )
        log.warn("the accounts of {name} hold {held}", name=name, held=fill.held)
        to, octets = Address("postmaster", name), text.replace("\n", "\r\n").encode()
        await own_mail.send(self._router, self._delivery, to, message_id, octets)


def looked(limit: DomainLimit, thresholds: Iterable[int]) -> Fill:
    """In a thread.  Raises MailError, OSError."""
    if not os.path.exists(limit.file):
        return Fill(limit, 0, 0, "nothing")
    try:
        with domain_sum.opened(limit) as total:
            octets, messages = total.held
    except OSError as cause:
        raise fault_of(cause) from cause
    shares, held = [0], []
    if limit.octets is not None:
        shares.append(100 * octets // max(limit.octets, 1))
        held.append(f"{sized(octets)} of {sized(limit.octets)}")
    if limit.messages is not None:
        shares.append(100 * messages // max(limit.messages, 1))
        held.append(f"{messages} of {limit.messages} messages")
    level = max([0, *(each for each in thresholds if each <= max(shares))])
    fill = Fill(limit, level, 0, ", ".join(held))
    return Fill(limit, level, _told(fill.file), fill.held)


def note(fill: Fill) -> None:
    """The postmaster knows of this level."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(fill.file, flags, 0o600)
    try:
        os.pwrite(descriptor, f"{fill.level:3}\n".encode(), 0)
    finally:
        os.close(descriptor)


def _told(path: str) -> int:
    try:
        with open(path, "rb") as file:
            return int(file.read(MOST_OCTETS))
    except (FileNotFoundError, ValueError):
        return 0
