"""`mailtwist list moderate|digest|bounces|archive`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from ..errors import MailError
from ..lists import archive_index, chores, statements
from ..lists.archive import path_of
from ..lists.model import Entry, Pending
from ..mailbox.model import Range
from ..mime import mbox, mbox_marks
from ..service.build import MailService

WAITING = ("post", "admit")
MONTH_HELP = "a month like 2026-11"


def configure(leaves: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    moderate = leaves.add_parser(
        "moderate",
        help="what waits for a moderator, and decide it",
        description="Without a verdict, tells what waits.",
    )
    moderate.add_argument("list", metavar="LIST")
    moderate.add_argument(
        "verdict", nargs="?", choices=("accept", "reject", "discard", "show")
    )
    moderate.add_argument("tokens", metavar="TOKEN", nargs="*")
    moderate.add_argument("--reason", default="", help="told to the sender")
    moderate.set_defaults(run=run_moderate)

    digest = leaves.add_parser("digest", help="send what waits for the digest now")
    digest.add_argument("list", metavar="LIST")
    digest.set_defaults(run=run_digest)

    bounces = leaves.add_parser("bounces", help="what came back, the latest first")
    bounces.add_argument("list", metavar="LIST")
    bounces.set_defaults(run=run_bounces)

    archive = leaves.add_parser("archive", help="look into the archive of a list")
    archive.add_argument("list", metavar="LIST")
    which = archive.add_mutually_exclusive_group()
    which.add_argument("--month", metavar="MONTH", help=MONTH_HELP)
    which.add_argument("--search", metavar="WORDS", help="posts with all these words")
    which.add_argument("--mbox", metavar="FILE", help="write all of it as an mbox file")
    archive.set_defaults(run=run_archive)


def run_moderate(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named

    async def ask(service: MailService) -> list[Pending]:
        found = await named(service, options.list)
        waiting = await service.lists.store.read(
            partial(statements.waiting, number=found.number, kinds=WAITING)
        )
        if options.verdict in (None, "show"):
            return [
                one
                for one in waiting
                if not options.tokens or one.token in options.tokens
            ]
        known = {one.token for one in waiting}
        unknown = set(options.tokens) - known
        if unknown or not options.tokens:
            told = ", ".join(sorted(unknown)) or "give the token of what waits"
            raise MailError(f"Nothing waits with that token: {told}")
        for token in options.tokens:
            await service.lists.desk.confirmed(token, options.verdict, options.reason)
        return []

    for one in asked(options, ask):
        if options.verdict == "show" and one.octets:
            sys.stdout.buffer.write(one.octets)
            continue
        at = moment(one.made_s)
        what = f'"{one.subject}": {one.reason}' if one.kind == "post" else "to join"
        print(f"{one.token}  {at}  {one.address}  {what}")
    return 0


def run_digest(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named

    async def ask(service: MailService) -> int:
        found = await named(service, options.list)
        return await service.lists.clerk.digests(found.number)

    print("a digest is sent" if asked(options, ask) else "nothing waits for a digest")
    return 0


def run_bounces(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named

    async def ask(service: MailService) -> list[tuple[Any, ...]]:
        found = await named(service, options.list)
        return await service.lists.store.read(
            partial(chores.bounces, number=found.number)
        )

    for at_s, key, kind, status, diagnostic in asked(options, ask):
        print(f"{moment(at_s)}  {key}  {kind} {status}  {diagnostic}".rstrip())
    return 0


def run_archive(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named

    async def ask(service: MailService) -> list[str]:
        found = await named(service, options.list)
        read, number = service.lists.store.read, found.number
        if options.mbox:
            count = await exported(service, path_of(found), options.mbox)
            return [f"{count} messages written to {options.mbox}"]
        if options.search is not None:
            text = options.search
            entries = await read(
                partial(archive_index.search, number=number, text=text)
            )
            return list(entry_lines(entries))
        if options.month:
            entries = await read(
                partial(archive_index.of_month, number=number, month=options.month)
            )
            return list(entry_lines(entries))
        months = await read(partial(archive_index.months, number=number))
        return [f"{month}  {count}" for month, count in months]

    for line in asked(options, ask):
        print(line)
    return 0


def entry_lines(entries: list[Entry]) -> Iterator[str]:
    for one in entries:
        yield f"{one.number}  {moment(one.at_s)}  {one.author}  {one.title}"


def moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s).strftime("%Y-%m-%d %H:%M")


def as_mbox(octets: bytes, at_s: int) -> bytes:
    """A message as it stands in an mbox file."""
    form = mbox.survey([octets])
    date = datetime.fromtimestamp(at_s)  # noqa: DTZ006 - by tradition
    marks = mbox_marks.Marks(frozenset(), old=True, form=form)
    parts = [mbox.from_line(b"", date), mbox_marks.block(marks)]
    return b"".join([*parts, *mbox.encoded([octets], form)])


async def exported(service: MailService, path: tuple[str, ...], file: str) -> int:
    """All messages of an archive into a new mbox file; how many."""
    account = service.lists.archive.account
    mailbox = await service.store.mailboxes(account).open(path, read_only=True)
    try:
        rows = await mailbox.rows()
        with open(file, "xb") as target:
            for uid, at_s in zip(rows.uids, rows.internal_dates, strict=True):
                (octets,) = await mailbox.octets([Range(uid)])
                if octets is not None:
                    target.write(as_mbox(octets, at_s))
        return len(rows.uids)
    except OSError as fault:
        raise MailError(f"{file}: {fault.strerror}") from fault
    finally:
        await mailbox.close()
