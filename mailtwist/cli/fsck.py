"""`mailtwist fsck`: does everything that is kept of mail agree?"""

from __future__ import annotations

import argparse

from ..errors import MailError
from ..mailbox.interfaces import ICheckedMailboxes, IMailboxes
from ..mailbox.model import Checked, Finding
from .each_account import add_accounts, each_account

# As fsck(8) has it; sums of these.
REPAIRED, LEFT, FAILED = 1, 4, 8


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "fsck",
        help="prove that files, state and indexes of accounts agree",
        description="Compares message files, state, uidlists, cache, text index and "
        "counted usage, and tells what does not agree.  The server may run meanwhile.  "
        "Start it as the server is started: as root, or as the user that the server "
        f"runs as.  The exit status is a sum: {REPAIRED} something was repaired, "
        f"{LEFT} something was left as it is, {FAILED} an account could not be "
        "looked at.",
    )
    add_accounts(parser)
    parser.add_argument(
        "--fix",
        action="store_true",
        help="make anew what can be; no message is ever removed",
    )
    parser.add_argument(
        "--quick", action="store_true", help="do not read the messages themselves"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each account, and one for each kind of fault in it."""
    status = 0

    async def tell(mailboxes: IMailboxes) -> str:
        nonlocal status
        if not ICheckedMailboxes.providedBy(mailboxes):
            raise MailError("its mail cannot be checked")
        checked = await mailboxes.check(repair=options.fix, quick=options.quick)
        status |= status_of(checked)
        return told(checked)

    failed = each_account(options, tell, deleted=True)
    return status | (FAILED if failed else 0)


def status_of(checked: Checked) -> int:
    status = 0
    for finding in checked.findings:
        status |= REPAIRED if finding.repaired else LEFT
    return status


def told(checked: Checked) -> str:
    """ "3 messages in 2 mailboxes agree", or what does not, a line each."""
    line = f"{checked.messages} messages in {checked.mailboxes} mailboxes"
    if not checked.findings:
        return f"{line} agree"
    return "\n  ".join([f"{line}:", *map(_told, checked.findings)])


def _told(finding: Finding) -> str:
    where = f"{'/'.join(finding.path)!a}: " if finding.path else ""
    count = f" ({finding.count})" if finding.count > 1 else ""
    done = "repaired" if finding.repaired else "left as it is"
    return f"{where}{finding.what}{count}: {done}"
