"""`mailtwist import` and `mailtwist export`: mail of an account from elsewhere and to
elsewhere."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from twisted.internet.threads import deferToThread

from ..carry import opened
from ..carry.account import AccountEnd
from ..carry.files import Apart
from ..carry.imap import ImapEnd
from ..carry.journal import Journal
from ..carry.model import IEnd
from ..carry.run import Carrier, Figures, Wishes, carried
from ..config.load import load
from ..config.model import Config
from ..errors import MailError
from ..service.build import MailService
from . import remote_login
from .progress import Progress


class Direction:
    """One of the two commands."""

    def __init__(self, name: str, help_: str, description: str, place: str) -> None:
        self.name, self.help, self.description = name, help_, description
        self.place = place

    def configure(
        self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]
    ) -> None:
        parser = subparsers.add_parser(
            self.name, help=self.help, description=self.description
        )
        parser.add_argument("account", metavar="ACCOUNT")
        parser.add_argument("place", metavar=self.place.upper(), help=PLACE[self.name])
        parser.add_argument(
            "--format",
            choices=(opened.AUTO, *opened.KINDS),
            default=opened.AUTO,
            help="of files",
        )
        remote_login.configure(parser)
        parser.add_argument(
            "--folder",
            action="append",
            default=[],
            metavar="PATTERN",
            help='only these folders, "/" between the parts of a name; may be repeated',
        )
        parser.add_argument(
            "--exclude",
            action="append",
            default=[],
            metavar="PATTERN",
            help="not these folders; may be repeated",
        )
        parser.add_argument(
            "--into",
            metavar="FOLDER",
            default="",
            help="put all folders under this one of the target",
        )
        parser.add_argument(
            "--expunge",
            action="store_true",
            help="remove messages that were brought before and are gone since then",
        )
        parser.add_argument("--dry-run", action="store_true", help="only tell")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")
        parser.set_defaults(run=self.run)

    def run(self, options: argparse.Namespace) -> int:
        """1 if something stayed behind."""
        from .asking import awaited

        config = load(options.config)
        there: IEnd
        ends = []
        if "://" in options.place:
            from twisted.internet import reactor

            remote = remote_login.remote(options.place, options)
            there = ImapEnd(remote, reactor, read_only=self.name == "import")
        else:
            choose = opened.source if self.name == "import" else opened.target
            path = os.path.abspath(options.place)
            there = Apart(path, choose(options.format), deferToThread)
            ends.append(there.end)
        progress = Progress(sys.stderr, options.quiet)

        async def carry(service: MailService) -> Figures:
            return await self._carry(service, config, options, there, progress)

        try:
            figures = awaited(config, carry, as_server=True)
        finally:
            progress.end()
            for end in ends:
                end()
        for line in figures.failed:
            print(line, file=sys.stderr)
        print(f"{options.account}: {told(figures, options.dry_run)}")
        return int(bool(figures.failed))

    async def _carry(
        self,
        service: MailService,
        config: Config,
        options: argparse.Namespace,
        there: IEnd,
        progress: Progress,
    ) -> Figures:
        account: Any = await service.auth.directory.account(options.account)
        if account is None:
            raise MailError("There is no such account")
        here = AccountEnd(
            account.name,
            service.store.mailboxes(account),
            service.auth.realm.sharing,
        )
        ends: tuple[IEnd, IEnd] = (there, here)
        if self.name == "export":
            ends = here, there
        wishes = Wishes(
            only=tuple(options.folder),
            leave_out=tuple(options.exclude),
            into=tuple(part for part in options.into.split("/") if part),
            expunge=options.expunge,
            dry_run=options.dry_run,
        )

        def begin() -> Carrier:
            journal = Journal(config.server.data, ends[0].name, ends[1].name)
            return Carrier(*ends, journal, wishes, deferToThread, progress.show)

        try:
            return await carried(begin)
        finally:
            await here.close()
            await there.close()


PLACE = {
    "import": "a Maildir, a home of Dovecot's or Courier's, mboxes, a folder of .eml "
    "files, or imaps://USER@HOST",
    "export": "a folder, which is made if it is missing, or imaps://USER@HOST",
}

IMPORT = Direction(
    "import",
    "bring mail of other programs into an account",
    "Brings folders, messages, flags, dates, keywords and subscriptions into an "
    "account.  Nothing of the source is changed.  Run again, it brings what is new and "
    "follows flags; after a kill it goes on where it was.  The server may run "
    "meanwhile.  Start it as the server is started: as root, or as the user that the "
    "server runs as; files are read with the rights of their owner.",
    "source",
)
EXPORT = Direction(
    "export",
    "take mail of an account elsewhere",
    "The way back of import: the same, from an account to elsewhere.",
    "target",
)


def told(figures: Figures, dry_run: bool) -> str:
    """ "120 messages (4.2 MB) brought, 3 there already, in 7 folders" """
    would = "would be " if dry_run else ""
    line = f"{figures.carried} messages ({figures.octets / 1e6:.1f} MB) {would}brought"
    for count, what in [
        (figures.there, "there already"),
        (figures.flags, f"{would}given other flags"),
        (figures.expunged, f"{would}removed"),
        (len(figures.failed), "failed"),
    ]:
        if count:
            line += f", {count} {what}"
    return f"{line}, in {figures.folders} folders"
