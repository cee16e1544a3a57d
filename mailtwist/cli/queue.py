"""`mailtwist queue`: the mail that waits, as postqueue and postsuper know it.

All of it works on the queue's database, whether the server runs or not; a running
server notices within a second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime

from attrs import evolve

from ..config.load import SECONDS, load
from ..config.model import Config
from ..errors import MailError
from ..queue.admin import ALL, Entry, Filter, QueueAdmin
from ..queue.model import QueuedRecipient
from ..service.queue import FOLDER
from .asking import awaited

_AGE = re.compile(r"(\d+(?:\.\d+)?)([a-z]*)")


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("queue", help="see and change the mail that waits")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    listing = leaves.add_parser("list", help="what waits, and why (mailq)")
    _add_filters(listing)
    listing.add_argument("--json", action="store_true", help="a line for each message")
    listing.set_defaults(run=run_list)

    shown = leaves.add_parser("show", help="one message (postcat)")
    shown.add_argument("queue_id", metavar="ID")
    parts = shown.add_mutually_exclusive_group()
    parts.add_argument("--header", action="store_true", help="only its header")
    parts.add_argument("--content", action="store_true", help="only its octets")
    parts.add_argument("--envelope", action="store_true", help="only its envelope")
    shown.set_defaults(run=run_show)

    for name, said, text in (
        ("flush", "will be tried now", "try again now (postqueue -f)"),
        ("hold", "held", "try nothing until released (postsuper -h)"),
        ("release", "released", "undo hold (postsuper -H)"),
        ("remove", "removed", "delete without a report (postsuper -d)"),
        ("requeue", "routed anew", "route anew and try now (postsuper -r)"),
    ):
        leaf = leaves.add_parser(name, help=text)
        _add_filters(leaf)
        leaf.add_argument("--all", action="store_true", help="every message")
        if name == "remove":
            leaf.add_argument("--yes", action="store_true", help="do not ask")
        leaf.set_defaults(run=run_change, change=name, said=said)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue_id", metavar="ID", nargs="*")
    parser.add_argument(
        "--sender", metavar="ADDRESS", default="", help="from it; @domain for all of it"
    )
    parser.add_argument(
        "--recipient", metavar="ADDRESS", default="", help="for it; @domain for all"
    )
    parser.add_argument("--older-than", metavar="AGE", help='like "2h", "5 d"')
    parser.add_argument("--younger-than", metavar="AGE")
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        default="",
        help="part of what the last attempt said",
    )
    parser.add_argument(
        "--held", action="store_true", default=None, help="only what is held"
    )


def filter_of(options: argparse.Namespace) -> Filter:
    """Raises MailError for an age that is none."""
    return Filter(
        queue_ids=tuple(options.queue_id),
        sender=options.sender,
        recipient=options.recipient,
        older_than_s=age_s(options.older_than),
        younger_than_s=age_s(options.younger_than),
        reason=options.reason,
        held=options.held,
    )


def age_s(text: str | None) -> float | None:
    if text is None:
        return None
    found = _AGE.fullmatch(text.replace(" ", "").lower())
    scale = SECONDS.get(found[2] or "s") if found else None
    if found is None or scale is None:
        raise MailError(f'{text}: give an age like "90 s", "2h" or "5 d"')
    return float(found[1]) * scale


def opened(config: Config) -> QueueAdmin:
    return QueueAdmin(os.path.join(config.server.data, FOLDER), time.time)


# -- looking --------------------------------------------------------------------------


def run_list(options: argparse.Namespace) -> int:
    with closing(opened(load(options.config))) as admin:
        entries = admin.listed(filter_of(options))
        if not options.json:
            return print_entries(entries)
        for entry in entries:
            print(json.dumps(plain(entry), ensure_ascii=False))
    return 0


def print_mailq(config: Config) -> int:
    with closing(opened(config)) as admin:
        return print_entries(admin.listed())


def print_entries(entries: Iterator[Entry]) -> int:
    """As mailq prints them; "!" behind an id is a held message."""
    octets = count = 0
    for entry in entries:
        if not count:
            print(
                "-Queue ID-      --Size-- ----Arrival Time---- -Sender/Recipient-------"
            )
        count += 1
        octets += entry.message.octets
        print("\n".join(lines_of(entry)), end="\n\n")
    if count:
        print(f"-- {octets // 1024} KiB in {count} message{'s' if count > 1 else ''}.")
    else:
        print("Mail queue is empty")
    return 0


def lines_of(entry: Entry) -> Iterator[str]:
    message = entry.message
    mark = "!" if message.held else " "
    arrived = datetime.fromtimestamp(message.arrived_s)
    sender = message.reverse_path or "MAILER-DAEMON"
    yield (
        f"{message.queue_id}{mark:<2}{message.octets:>8} "
        f"{arrived:%a %b %d %H:%M:%S}  {sender}"
    )
    reason = ""
    for recipient in entry.recipients:
        if why(recipient) not in ("", reason):
            reason = why(recipient)
            yield f"{'':>4}({reason})"
        yield f"{'':>47}{recipient.address}"


def why(recipient: QueuedRecipient) -> str:
    """What the last attempt said."""
    if recipient.host and recipient.reply:
        return f"host {recipient.host} said: {recipient.reply}"
    return recipient.reply or recipient.status


def plain(entry: Entry) -> dict[str, object]:
    """One message for programs; times are ISO 8601."""
    message = entry.message
    return {
        "id": message.queue_id,
        "sender": str(message.reverse_path or ""),
        "login": message.login,
        "octets": message.octets,
        "arrived": iso(message.arrived_s),
        "expires": iso(message.expires_s),
        "held": message.held,
        "priority": message.wishes.priority,
        "recipients": [
            {
                "address": str(each.address),
                "original": str(each.original),
                "transport": each.route.transport,
                "next_hop": each.route.next_hop,
                "attempts": each.attempts,
                "next_attempt": iso(each.due_s),
                "status": each.status,
                "host": each.host,
                "reply": each.reply,
            }
            for each in entry.recipients
        ],
    }


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def run_show(options: argparse.Namespace) -> int:
    with closing(opened(load(options.config))) as admin:
        entry = admin.entry(options.queue_id)
        if not (options.content or options.header):
            print(json.dumps(plain(entry), indent=2, ensure_ascii=False))
        if options.envelope:
            return 0
        if not options.content:
            print(flush=True)
        for piece in admin.content(options.queue_id):
            end = piece.find(b"\r\n\r\n") if options.header else -1
            sys.stdout.buffer.write(piece if end < 0 else piece[: end + 2])
            if end >= 0:
                break
        sys.stdout.buffer.flush()
    return 0


# -- changing -------------------------------------------------------------------------


def run_change(options: argparse.Namespace) -> int:
    which = filter_of(options)
    if which == ALL and not options.all:
        raise MailError("Say which: ids, filters, or --all")
    config = load(options.config)
    with closing(opened(config)) as admin:
        asks = options.change == "remove" and not options.queue_id and not options.yes
        if asks and not agreed(f"Remove {messages(admin.count(which))}?"):
            print("Nothing was removed")
            return 1
        print(
            f"{messages(change(admin, options.change, which, config))} {options.said}"
        )
    return 0


def change(admin: QueueAdmin, what: str, which: Filter, config: Config) -> int:
    """How many messages it was done to."""
    if what == "requeue":
        return awaited(config, lambda service: admin.requeue(service.router, which))
    done: Callable[[Filter], int] = getattr(admin, what)
    return done(which)


def messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"


def agreed(question: str) -> bool:
    """True if who types says so; nobody at a terminal is a no."""
    if not sys.stdin.isatty():
        print(f"{question} Say --yes", file=sys.stderr)
        return False
    with suppress(EOFError):
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    return False


def flush(config: Config, what: str) -> int:
    """sendmail -q: all, -qI ID, -qR domain; an interval asks for a daemon."""
    which = ALL
    if what.startswith("I"):
        which = evolve(ALL, queue_ids=(what[1:],))
    elif what.startswith("R"):
        which = evolve(ALL, recipient="@" + what[1:].lstrip("@"))
    elif what != "all":
        raise MailError(
            f"-q{what}: the server runs its queue by itself", status="5.5.4"
        )
    with closing(opened(config)) as admin:
        admin.flush(which)
    return 0
