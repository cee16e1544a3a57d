"""The queue in an administrator's hands, whether the server runs or not.

Everything works on the database; a running server notices within a second.  What is
under way at that moment is not called back.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from attrs import evolve, frozen

from ..address import Address, normal_domain
from ..delivery.model import (
    NOTHING_SAID,
    LocalRecipient,
    RemoteRecipient,
    Route,
    Target,
)
from ..delivery.spare import for_mailbox
from ..errors import MailError, NoSuchMessage
from ..interfaces import IRouter
from ..store.sqlite import fault_of
from .model import QueuedMessage, QueuedRecipient
from .spool import statements
from .spool.disk import DATABASE, FILES
from .spool.thread import batch, connect

CHUNK = 500
READ_OCTETS = 256 * 1024

_SET_HELD = "UPDATE message SET held = :held WHERE number = :number"


@frozen(kw_only=True)
class Filter:
    """Which messages; everything that is said must hold.

    `sender` and `recipient` are "user@domain", or "@domain" for all of a domain;
    `sender` "<>" is the null path.  `reason` is a part of the last reply or status of a
    recipient, without case.  Ages are seconds since the message arrived.
    """

    queue_ids: tuple[str, ...] = ()
    sender: str = ""
    recipient: str = ""
    older_than_s: float | None = None
    younger_than_s: float | None = None
    reason: str = ""
    held: bool | None = None


ALL = Filter()


@frozen
class Entry:
    """A message of the queue with the recipients that are not done."""

    message: QueuedMessage
    recipients: tuple[QueuedRecipient, ...]


class QueueAdmin:
    """The queue in `folder` ("queue" in the data folder).

    A queue that was never used is empty.  Methods raise MailError if the database
    cannot be used, BadAddress for a filter that is no address.
    """

    def __init__(self, folder: str, now: Callable[[], float]) -> None:
        self._folder, self._now = folder, now
        self._connection: sqlite3.Connection | None = None
        path = os.path.join(folder, DATABASE)
        if os.path.exists(path):
            try:
                self._connection = connect(path)
            except sqlite3.Error as cause:
                raise fault_of(cause) from cause

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    # -- looking ------------------------------------------------------------------

    def listed(self, which: Filter = ALL) -> Iterator[Entry]:
        """The messages, the oldest first, read as they are taken."""
        after, now = 0, self._now
        while True:
            numbers = self._do(partial(_numbers, which=which, now_s=now(), after=after))
            for number in numbers:
                entry = self._do(partial(_entry, number=number))
                if entry is not None:
                    yield entry
            if len(numbers) < CHUNK:
                return
            after = numbers[-1]

    def count(self, which: Filter = ALL) -> int:
        """How many messages there are."""
        return len(self._all_numbers(which))

    def entry(self, queue_id: str) -> Entry:
        """One message; raises NoSuchMessage."""
        number = self._do(partial(statements.number_of, queue_id=queue_id))
        entry = self._do(partial(_entry, number=number)) if number else None
        if not isinstance(entry, Entry):
            raise NoSuchMessage(f"No message {queue_id} in the queue")
        return entry

    def content(self, queue_id: str) -> Iterator[bytes]:
        """Its octets, in pieces; raises NoSuchMessage."""
        found = self._do(partial(statements.content, queue_id=queue_id))
        if not found:
            raise NoSuchMessage(f"No message {queue_id} in the queue")
        file, octets, head = found
        if octets is not None:
            yield octets
            return
        yield head
        try:
            with open(os.path.join(self._folder, FILES, file), "rb") as content:
                while piece := content.read(READ_OCTETS):
                    yield piece
        except OSError as cause:
            raise MailError(f"{queue_id}: {cause.strerror}") from cause

    # -- changing -----------------------------------------------------------------

    def flush(self, which: Filter = ALL) -> int:
        """Let them be tried now; how many."""
        now_s = self._now()
        set_due = (
            "UPDATE recipient SET due_s = :now WHERE message = :number",
            "UPDATE message SET due_s = :now WHERE number = :number",
        )
        return self._change(which, set_due, now=now_s)

    def hold(self, which: Filter = ALL) -> int:
        """Let nothing be tried until they are released; how many."""
        return self._change(
            which, ("UPDATE message SET held = 1 WHERE number = :number",)
        )

    def release(self, which: Filter = ALL) -> int:
        """Undo `hold`; how many."""
        return self._change(
            which, ("UPDATE message SET held = 0 WHERE number = :number",)
        )

    def remove(self, which: Filter = ALL) -> int:
        """Delete them without a report; how many."""
        removed = 0
        for numbers in _chunks(self._all_numbers(which)):
            files = self._do(partial(_removed, numbers=numbers), writes=True)
            removed += len(files)
            for file in filter(None, files):
                if os.path.exists(path := os.path.join(self._folder, FILES, file)):
                    os.unlink(path)
        return removed

    async def requeue(self, router: IRouter, which: Filter = ALL) -> int:
        """Route their recipients anew and let them be tried now; how many messages.

        An address that does not exist any more will bounce; one that cannot be looked
        up now stays as it is."""
        changed = 0
        for entry in self.listed(which):
            found = [
                (recipient, await _routed(router, entry.message, recipient))
                for recipient in entry.recipients
            ]
            work = partial(
                _reroute,
                queue_id=entry.message.queue_id,
                found=found,
                now_s=self._now(),
            )
            self._do(work, writes=True)
            changed += 1
        return changed

    # -- the database -------------------------------------------------------------

    def _change(self, which: Filter, queries: tuple[str, ...], **values: object) -> int:
        numbers = self._all_numbers(which)
        rows = [{"number": number, **values} for number in numbers]

        def work(connection: sqlite3.Connection) -> None:
            for query in queries:
                connection.executemany(query, rows)

        self._do(work, writes=True)
        return len(numbers)

    def _all_numbers(self, which: Filter) -> list[int]:
        return list(self._do(partial(_numbers, which=which, now_s=self._now())))

    def _do(
        self, work: Callable[[sqlite3.Connection], Any], *, writes: bool = False
    ) -> Any:
        if self._connection is None:
            return []

        def ordered(connection: sqlite3.Connection) -> Any:
            result = work(connection)
            statements.give_order(connection)
            return result

        done = ordered if writes else work
        result = batch(self._connection, [done], writes)[0]
        if isinstance(result, MailError):
            raise result
        return result


def _numbers(
    connection: sqlite3.Connection,
    which: Filter,
    now_s: float,
    after: int | None = None,
) -> list[int]:
    """Numbers of the messages that `which` names, ascending; CHUNK behind `after`."""
    wheres, values = _conditions(which, now_s)
    limit = ""
    if after is not None:
        wheres.append("number > ?")
        values.append(after)
        limit = f" LIMIT {CHUNK:d}"
    query = " AND ".join(["SELECT number FROM message WHERE 1", *wheres])
    rows = connection.execute(f"{query} ORDER BY number{limit}", values)
    return [number for (number,) in rows]


def _conditions(which: Filter, now_s: float) -> tuple[list[str], list[Any]]:
    wheres: list[str] = []
    values: list[Any] = []
    if which.queue_ids:
        wheres.append(f"queue_id IN ({', '.join('?' * len(which.queue_ids))})")
        values.extend(which.queue_ids)
    if which.sender == "<>":
        wheres.append("sender_local IS NULL")
    elif which.sender:
        where, found = _address(which.sender, "sender_local", "sender_domain")
        wheres.append(where)
        values.extend(found)
    if which.older_than_s is not None:
        wheres.append("arrived_s <= ?")
        values.append(now_s - which.older_than_s)
    if which.younger_than_s is not None:
        wheres.append("arrived_s >= ?")
        values.append(now_s - which.younger_than_s)
    if which.held is not None:
        wheres.append("held = ?")
        values.append(int(which.held))
    of_recipient = "number IN (SELECT message FROM recipient WHERE {})"
    if which.recipient:
        where, found = _address(which.recipient, "local_part", "domain")
        wheres.append(of_recipient.format(where))
        values.extend(found)
    if which.reason:
        said = "instr(lower(status || ' ' || reply || ' ' || host), lower(?))"
        wheres.append(of_recipient.format(said))
        values.append(which.reason)
    return wheres, values


def _address(text: str, local_part: str, domain: str) -> tuple[str, list[str]]:
    if text.startswith("@"):
        return f"{domain} = ?", [normal_domain(text[1:])]
    address = Address.parse(text)
    return (
        f"(lower({local_part}) = lower(?) AND {domain} = ?)",
        [address.local_part, address.domain],
    )


def _entry(connection: sqlite3.Connection, number: int) -> Entry | None:
    found = statements.numbered(connection, number)
    return None if found is None else Entry(found[0], tuple(found[1]))


def _removed(connection: sqlite3.Connection, numbers: list[int]) -> list[str]:
    """The file, or "", of each that was removed."""
    files = []
    for number in numbers:
        if connection.execute(
            "SELECT 1 FROM message WHERE number = ?", (number,)
        ).fetchone():
            files.append(statements.remove(connection, number))
    return files


async def _routed(
    router: IRouter, message: QueuedMessage, recipient: QueuedRecipient
) -> tuple[Target, ...]:
    """Where it goes now; nothing if that cannot be told, or it is a mailbox, which is
    looked up at each attempt and must not be expanded a second time."""
    if message.filter is not None:
        return (Target(recipient.address, message.filter),)
    if recipient.route.transport == "mailbox":
        return ()
    try:
        found = await router.resolve(
            recipient.address, may_relay=True, sender=message.reverse_path
        )
    except MailError as fault:
        if fault.temporary:
            return ()
        route = Route("error", f"{fault.status} {fault.public}")
        return (Target(recipient.address, route),)
    if isinstance(found, LocalRecipient):
        found = for_mailbox(found)
    if isinstance(found, RemoteRecipient) and found.targets:
        return found.targets
    return (Target(found.address),)


def _reroute(
    connection: sqlite3.Connection,
    queue_id: str,
    found: list[tuple[QueuedRecipient, tuple[Target, ...]]],
    now_s: float,
) -> None:
    number = statements.number_of(connection, queue_id)
    there = {each.number for each in statements.recipients(connection, queue_id)}
    free = max(there, default=0) + 1
    replaced = []
    for recipient, targets in found:
        if number is None or recipient.number not in there:
            continue
        places = [recipient.number, *range(free, free + len(targets) - 1)]
        free += max(0, len(targets) - 1)
        if not targets:
            replaced.append(evolve(recipient, attempts=0, due_s=now_s))
        for place, target in zip(places, targets, strict=False):
            sender = recipient.sender if target.sender is None else target.sender
            notify = NOTHING_SAID if target.of_list else recipient.notify
            replaced.append(
                evolve(
                    recipient,
                    number=place,
                    address=target.address,
                    route=target.route,
                    sender=sender,
                    run_as=target.run_as,
                    notify=notify,
                    of_list=recipient.of_list or target.of_list,
                    attempts=0,
                    due_s=now_s,
                    reply="",
                    host="",
                )
            )
    if number is not None and replaced:
        statements.put_recipients(connection, number, replaced)
        statements.end_or_due(connection, number)


def _chunks(numbers: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(numbers), CHUNK):
        yield numbers[at : at + CHUNK]
