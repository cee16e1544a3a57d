"""`mailtwist undelete`: bring back what a user expunged."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

from attrs import evolve
from twisted.internet.threads import deferToThread

from ..carry.account import AccountEnd
from ..carry.chosen import Chosen, has_message_id
from ..carry.journal import Journal
from ..carry.model import IEnd
from ..carry.run import Carrier, Wishes
from ..config.load import load
from ..config.model import Config
from ..directory.model import Account
from ..errors import MailError
from ..mailbox.interfaces import IMailbox, IMailboxes
from ..mailbox.model import Column
from ..mailbox.purging import purge
from ..mime.named_fields import named_fields
from ..service.build import MailService
from .carry import told

CHUNK = 200  # messages that are listed at a time


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "undelete",
        help="bring back what a user expunged",
        description="Puts expunged messages back where they were, with flags and "
        "dates, as long as deleted.keep_s has it.  The server may run meanwhile.  "
        "Start it as the server is started: as root, or as the user that the server "
        "runs as.",
    )
    parser.add_argument("account", metavar="ACCOUNT")
    parser.add_argument("--list", action="store_true", help="only tell what there is")
    parser.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only what was in these folders; may be repeated",
    )
    parser.add_argument(
        "--message-id",
        action="append",
        default=[],
        metavar="ID",
        help="only the message with that Message-ID; may be repeated",
    )
    parser.add_argument(
        "--into", metavar="FOLDER", default="", help="under this folder, not in its own"
    )
    parser.add_argument(
        "--purge",
        action="store_true",
        help="bring nothing back, but remove what was kept for deleted.keep_s",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """1 if something stayed behind."""
    from .asking import awaited

    config = load(options.config)

    async def ask(service: MailService) -> int:
        account: Any = await service.auth.directory.account(options.account)
        if account is None:
            raise MailError("There is no such account")
        kept = service.store.mailboxes(evolve(account, deleted=True))
        if options.list:
            return await _list(kept)
        if options.purge:
            before = int(time.time() - config.deleted.keep_s)
            gone = await purge(kept, before)
            print(f"{account.name}: {gone} messages removed")
            return 0
        return await _bring(service, account, kept, options, config)

    return awaited(config, ask, as_server=True)


async def _bring(
    service: MailService,
    account: Account,
    kept: IMailboxes,
    options: argparse.Namespace,
    config: Config,
) -> int:
    wishes = Wishes(
        only=tuple(options.folder),
        into=tuple(part for part in options.into.split("/") if part),
        follow_flags=False,
        take=True,
    )
    source: IEnd = AccountEnd(f"deleted:{account.name}", kept)
    if options.message_id:
        source = Chosen(source, has_message_id(options.message_id))
    target = AccountEnd(account.name, service.store.mailboxes(account))
    with tempfile.TemporaryDirectory(dir=os.path.abspath(config.server.data)) as place:
        journal = Journal(place, source.name, target.name)
        try:
            figures = await Carrier(
                source, target, journal, wishes, deferToThread
            ).run()
        finally:
            await source.close()
            await target.close()
    for line in figures.failed:
        print(line)
    print(f"{account.name}: {told(figures, False)}")
    return int(bool(figures.failed))


async def _list(kept: IMailboxes) -> int:
    for info in await kept.listed():
        if not info.selectable:
            continue
        mailbox = await kept.open(info.path, read_only=True)
        try:
            for line in await _lines(mailbox):
                print(line)
        finally:
            await mailbox.close()
    return 0


async def _lines(mailbox: IMailbox) -> list[str]:
    """ "2026-11-24 21:40  INBOX  <17@example.net>  Subject" """
    uids, lines = (await mailbox.rows()).uids, []
    for start in range(0, len(uids), CHUNK):
        columns = Column.SAVED_AT, Column.FIELDS
        for row in await mailbox.rendered(uids[start : start + CHUNK], columns):
            if row is None:
                continue
            saved, header = row
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(int(saved or 0)))
            named = named_fields(header)
            what = f"{named.get('message-id', '-')}  {named.get('subject', '')}"
            line = f"{when}  {'/'.join(mailbox.path)}  {what}"
            lines.append("".join(c if c.isprintable() else "?" for c in line))
    return lines
