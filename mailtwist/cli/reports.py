"""`mailtwist reports`: what others report of mail and TLS in our domains' names."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from ..config.load import load
from ..errors import ConfigError, MailError
from ..mailbox.interfaces import IMailboxes
from ..mailbox.model import INBOX, Range
from ..service.build import MailService
from ..trust.aggregate import AggregateReport, sums
from ..trust.received import Report, TlsReceived, in_message, in_octets

MOST_MESSAGE = 25 * 1024 * 1024  # octets of one that is read
CHUNK = 4 * 1024 * 1024


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "reports",
        help="read DMARC and TLS reports that others sent",
        description="Sums up the reports in the mailbox that rua= of your DMARC and "
        "TLSRPT records names, or in files (XML, JSON, packed or not, or whole "
        "messages): who sends in the names of your domains, and whether it passed. "
        "Start it as the server is started: as root, or as the user that the server "
        "runs as.",
    )
    parser.add_argument(
        "places",
        metavar="ACCOUNT|FILE",
        nargs="+",
        help="an account that gets reports, or a file",
    )
    parser.add_argument(
        "--mailbox", default="INBOX", help="of the account; levels between /"
    )
    parser.add_argument(
        "--since", metavar="DAY", help="only of reports that end then or later"
    )
    parser.add_argument("--json", action="store_true", help="every line, for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what they say; 1 if there are no reports."""
    found: list[Report] = []
    accounts = []
    for place in options.places:
        path = Path(place)
        if "@" in place and not path.exists():
            accounts.append(place)
        else:
            found += _in_file(path)
    if accounts:
        found += _in_accounts(options, accounts)
    found = [one for one in unique(found) if _ends(one) >= (options.since or "")]
    if options.json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        for line in lines(found):
            print(line)
    return int(not found)


def _in_file(path: Path) -> list[Report]:
    try:
        octets = path.read_bytes()
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    try:
        return in_octets(octets)
    except MailError:
        found = in_message(octets)
        if not found:
            raise ConfigError(f"{path}: has no report in it") from None
        return found


def _in_accounts(options: argparse.Namespace, names: Sequence[str]) -> list[Report]:
    from .asking import awaited

    path = tuple(options.mailbox.split("/"))
    if path[0].upper() == "INBOX":
        path = (*INBOX, *path[1:])

    async def ask(service: MailService) -> list[Report]:
        found: list[Report] = []
        for name in names:
            account = await service.auth.directory.account(name)
            if account is None:
                raise MailError(f"{name}: there is no such account")
            found += await _in_mailbox(service.store.mailboxes(account), path)
        return found

    return awaited(load(options.config), ask, as_server=True)


async def _in_mailbox(mailboxes: IMailboxes, path: tuple[str, ...]) -> list[Report]:
    mailbox = await mailboxes.open(path, read_only=True)
    found: list[Report] = []
    try:
        rows = await mailbox.rows()
        for uid, size in zip(rows.uids, rows.octets, strict=True):
            if size > MOST_MESSAGE:
                continue
            pieces = []
            for start in range(0, size, CHUNK):
                (piece,) = await mailbox.octets([Range(uid, start, CHUNK)])
                pieces.append(piece or b"")
            found += in_message(b"".join(pieces))
    finally:
        await mailbox.close()
    return found


def unique(reports: Sequence[Report]) -> list[Report]:
    """Each report once, though it came twice."""
    found: dict[tuple[str, str, str], Report] = {}
    for one in reports:
        found.setdefault((type(one).__name__, one.org_name, one.report_id), one)
    return list(found.values())


def _ends(report: Report) -> str:
    """The day of a report's end."""
    if isinstance(report, TlsReceived):
        return report.end[:10]
    return time.strftime("%Y-%m-%d", time.gmtime(report.end_s))


def lines(reports: Sequence[Report]) -> Iterator[str]:
    """What they say together, by domain."""
    dmarc = [one for one in reports if isinstance(one, AggregateReport)]
    tls = [one for one in reports if isinstance(one, TlsReceived)]
    if dmarc:
        yield f"DMARC, {len(dmarc)} reports of {_who(dmarc)}"
    counted = sums(dmarc)
    for domain in sorted({key[0] for key in counted}):
        passed = sum(n for key, n in counted.items() if key[0] == domain and key[2])
        failed = sum(n for key, n in counted.items() if key[0] == domain and not key[2])
        yield f"  {_safe(domain)}: {passed} passed, {failed} failed"
        sources = [(n, key) for key, n in counted.items() if key[0] == domain]
        for count, (_, source, good) in sorted(sources, reverse=True):
            yield f"    {count:>8}  {_safe(source):<40} {'pass' if good else 'FAIL'}"
    if tls:
        yield f"TLS, {len(tls)} reports of {_who(tls)}"
    for one in tls:
        for policy in one.policies:
            yield (
                f"  {_safe(policy.domain)} by {_safe(one.org_name)} to {one.end[:10]}: "
                f"{policy.succeeded} sessions, {policy.failed} failed"
            )
            for kind, host, count in policy.failures:
                yield f"    {count:>8}  {_safe(kind)} with {_safe(host)}"


def _who(reports: Sequence[Any]) -> str:
    names = sorted({one.org_name for one in reports})
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return _safe(", ".join(names[:5])) + more


def _safe(text: str) -> str:
    """Nothing that a terminal would take for a command."""
    return "".join(one if one.isprintable() else "?" for one in text)
